"""The article's steps for a learner: each is a scenario of features/article with a tag such as @step-1."""
