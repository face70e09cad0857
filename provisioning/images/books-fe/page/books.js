"use strict";

const state = document.getElementById("state");
const list = document.getElementById("books");

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function entry(book) {
  const item = document.createElement("li");
  item.append(element("h2", book.title || book._id), element("p", book.author), element("p", book.description));
  return item;
}

async function look() {
  try {
    const answer = await fetch("/api/v1/books", { cache: "no-store" });
    const books = await answer.json();
    if (!answer.ok) throw new Error(books.error || `answer ${answer.status}`);
    list.replaceChildren(...books.map(entry));
    const from = `books-service ${answer.headers.get("X-Release")} ${answer.headers.get("X-Color") || ""}`;
    state.textContent = `${books.length} ${books.length === 1 ? "book" : "books"}, from ${from.trim()}.`;
  } catch (error) {
    state.textContent = `The books cannot be had right now: ${error.message}.`;
  }
}

document.getElementById("again").addEventListener("click", look);
look();
