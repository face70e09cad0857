//go:build tools

// Package tools keeps the program to build among the requirements of this module.
package tools

import _ "github.com/gliderlabs/registrator"
