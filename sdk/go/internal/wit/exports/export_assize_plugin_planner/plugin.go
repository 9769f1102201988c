// Package export_assize_plugin_planner is what the generated exports of world `action` call.
package export_assize_plugin_planner

import (
	"assize"
	"assize/internal/wire"
	"assize/internal/wit/imports/assize_plugin_planner"
	"assize/internal/wit/imports/assize_plugin_types"

	witTypes "go.bytecodealliance.org/pkg/wit/types"
)

// Plugin is set before the first call.
var Plugin *assize.Plugin

func ValidateSettings(settings string) witTypes.Result[witTypes.Unit, assize_plugin_types.Failure] {
	return wire.Told(witTypes.Unit{}, Plugin.ValidateSettings(settings))
}

func Plan(settings string, subject assize_plugin_types.Case, outcome assize_plugin_planner.Outcome) witTypes.Result[[]assize_plugin_planner.Effect, assize_plugin_types.Failure] {
	effects, failure := Plugin.Plan(settings, wire.Case(subject), wire.Outcome(outcome))
	if failure != nil {
		return wire.Told([]assize_plugin_planner.Effect(nil), failure)
	}
	return wire.Told(wire.WriteEffects(effects), nil)
}
