module secrets

go 1.27.1

require assize v0.0.0

require go.bytecodealliance.org/pkg v0.4.0 // indirect
