// Package action makes a plugin the one that a component of world `action` exports.
package action

import "assize"

// Export is called once, in an `init` function.
func Export(plugin *assize.Plugin) { export(plugin) }
