// Package export_assize_plugin_adjudicator is what the generated exports of world `compliance-rule` call.
package export_assize_plugin_adjudicator

import (
	"assize"
	"assize/internal/wire"
	"assize/internal/wit/imports/assize_plugin_types"

	witTypes "go.bytecodealliance.org/pkg/wit/types"
)

// Plugin is set before the first call.
var Plugin *assize.Plugin

func ValidateSettings(settings string) witTypes.Result[witTypes.Unit, assize_plugin_types.Failure] {
	return wire.Told(witTypes.Unit{}, Plugin.ValidateSettings(settings))
}

func Rule(settings string, subject assize_plugin_types.Case, risk assize_plugin_types.Risk) witTypes.Result[assize_plugin_types.Ruling, assize_plugin_types.Failure] {
	answer, failure := Plugin.Rule(settings, wire.Case(subject), wire.Risk(risk))
	if failure != nil {
		return wire.Told(assize_plugin_types.Ruling{}, failure)
	}
	return wire.Told(wire.WriteRuling(answer), nil)
}
