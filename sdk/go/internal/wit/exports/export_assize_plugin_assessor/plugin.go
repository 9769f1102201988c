// Package export_assize_plugin_assessor is what the generated exports of world `risk-agent` call.
package export_assize_plugin_assessor

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

func Assess(settings string, subject assize_plugin_types.Case) witTypes.Result[assize_plugin_types.Assessment, assize_plugin_types.Failure] {
	answer, failure := Plugin.Assess(settings, wire.Case(subject))
	if failure != nil {
		return wire.Told(assize_plugin_types.Assessment{}, failure)
	}
	return wire.Told(wire.WriteAssessment(answer), nil)
}
