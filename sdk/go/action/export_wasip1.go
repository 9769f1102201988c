package action

import (
	"assize"
	"assize/internal/wit/exports/export_assize_plugin_planner"

	// The exports themselves.
	_ "assize/internal/wit/exports/action"
)

func export(plugin *assize.Plugin) { export_assize_plugin_planner.Plugin = plugin }
