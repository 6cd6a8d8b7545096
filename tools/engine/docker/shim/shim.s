// Lets shim.go declare a function without a body.
