// Package riskagent makes a plugin the one that a component of world `risk-agent` exports.
package riskagent

import "assize"

// Export is called once, in an `init` function.
func Export(plugin *assize.Plugin) { export(plugin) }
