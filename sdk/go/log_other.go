//go:build !wasip1

package assize

import "fmt"

func write(level uint8, message string) {
	fmt.Printf("%s: %s\n", []string{"debug", "info", "warn", "error"}[level], message)
}
