// Package compliancerule makes a plugin the one that a component of world `compliance-rule` exports.
package compliancerule

import "assize"

// Export is called once, in an `init` function.
func Export(plugin *assize.Plugin) { export(plugin) }
