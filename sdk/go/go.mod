module assize

go 1.27.1

// What the generated bindings stand on. Where no proxy of Go modules is at hand, a copy of it comes in wit-bindgen's package:
// see README.md.
require go.bytecodealliance.org/pkg v0.4.0
