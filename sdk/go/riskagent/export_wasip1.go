package riskagent

import (
	"assize"
	"assize/internal/wit/exports/export_assize_plugin_assessor"

	// The exports themselves.
	_ "assize/internal/wit/exports/riskagent"
)

func export(plugin *assize.Plugin) { export_assize_plugin_assessor.Plugin = plugin }
