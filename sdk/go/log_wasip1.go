package assize

import "assize/internal/wit/imports/assize_plugin_log"

// The contract's levels are numbered as ours.
func write(level uint8, message string) { assize_plugin_log.Log(level, message) }
