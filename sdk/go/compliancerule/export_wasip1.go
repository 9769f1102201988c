package compliancerule

import (
	"assize"
	"assize/internal/wit/exports/export_assize_plugin_adjudicator"

	// The exports themselves.
	_ "assize/internal/wit/exports/compliancerule"
)

func export(plugin *assize.Plugin) { export_assize_plugin_adjudicator.Plugin = plugin }
