package assize

import "fmt"

// Lines for the plugin's author. The host bounds them and keeps them with the decision; tests print them.

// Debugf writes a line for whoever looks for a fault.
func Debugf(format string, args ...any) { write(0, fmt.Sprintf(format, args...)) }

// Infof writes a line.
func Infof(format string, args ...any) { write(1, fmt.Sprintf(format, args...)) }

// Warnf writes a line that deserves a look.
func Warnf(format string, args ...any) { write(2, fmt.Sprintf(format, args...)) }

// Errorf writes a line on what went wrong.
func Errorf(format string, args ...any) { write(3, fmt.Sprintf(format, args...)) }
