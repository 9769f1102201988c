// Package wire turns the contract's types into the library's, and back.
package wire

import (
	"assize"
	"assize/internal/wit/imports/assize_plugin_planner"
	"assize/internal/wit/imports/assize_plugin_types"

	witTypes "go.bytecodealliance.org/pkg/wit/types"
)

// Told is an answer, or why there is none.
func Told[T any](answer T, failure *assize.Failure) witTypes.Result[T, assize_plugin_types.Failure] {
	if failure == nil {
		return witTypes.Ok[T, assize_plugin_types.Failure](answer)
	}
	var told assize_plugin_types.Failure
	switch failure.Kind {
	case assize.SettingsFailure:
		told = assize_plugin_types.MakeFailureInvalidSettings(failure.Why)
	case assize.CaseFailure:
		told = assize_plugin_types.MakeFailureInvalidCase(failure.Why)
	case assize.Abstention:
		told = assize_plugin_types.MakeFailureAbstains(failure.Why)
	default:
		told = assize_plugin_types.MakeFailureInternal(failure.Why)
	}
	return witTypes.Err[T](told)
}

func option(text string) witTypes.Option[string] {
	if text == "" {
		return witTypes.None[string]()
	}
	return witTypes.Some(text)
}

func mapped[A, B any](from []A, each func(A) B) []B {
	to := make([]B, 0, len(from))
	for _, one := range from {
		to = append(to, each(one))
	}
	return to
}

// Case is read.
func Case(wire assize_plugin_types.Case) *assize.Case {
	return &assize.Case{
		ID: wire.Id, Kind: wire.Kind, Tenant: wire.Tenant, System: wire.System.SomeOr(""), Environment: wire.Environment,
		Jurisdictions: wire.Jurisdictions, Sector: wire.Sector.SomeOr(""), Actor: wire.Actor.SomeOr(""),
		Action: wire.Action.SomeOr(""), Resource: wire.Resource.SomeOr(""),
		OccurredAt: wire.OccurredAt, RulesAsOf: wire.RulesAsOf, PayloadJSON: wire.Payload, ContextJSON: wire.Context,
	}
}

// Risk is read.
func Risk(wire assize_plugin_types.Risk) *assize.Risk {
	return &assize.Risk{Score: wire.Score, Confidence: wire.Confidence, Opinions: mapped(wire.Opinions, opinion)}
}

func opinion(wire assize_plugin_types.Opinion) assize.Opinion {
	told := wire.Assessment
	return assize.Opinion{
		Binding: wire.Binding, Plugin: wire.Plugin, Version: wire.Version, Weight: wire.Weight,
		Assessment: assize.Assessment{
			Score: told.Score, Confidence: told.Confidence, Findings: mapped(told.Findings, finding), Attributes: told.Attributes,
		},
	}
}

func finding(wire assize_plugin_types.Finding) assize.Finding {
	return assize.Finding{
		Code: wire.Code, Severity: assize.Severity(wire.Severity), Message: wire.Message, Points: wire.Contribution,
		Evidence: mapped(wire.Evidence, func(wire assize_plugin_types.Evidence) assize.Evidence {
			evidence := assize.Evidence{Pointer: wire.Pointer}
			if wire.Span.IsSome() {
				span := assize.Span(wire.Span.Some())
				evidence.Span = &span
			}
			return evidence
		}),
		Citation: wire.Citation.SomeOr(""),
	}
}

// Outcome is read.
func Outcome(wire assize_plugin_planner.Outcome) *assize.Outcome {
	judgment := func(wire assize_plugin_types.Judgment) assize.Judgment {
		return assize.Judgment{
			Binding: wire.Binding, Plugin: wire.Plugin, Version: wire.Version,
			Ruling: assize.Ruling{
				Verdict: assize.Verdict(wire.Ruling.Verdict), Code: wire.Ruling.Code, Findings: mapped(wire.Ruling.Findings, finding),
			},
		}
	}
	return &assize.Outcome{
		Verdict: assize.Verdict(wire.Verdict), Reason: wire.Reason, Risk: *Risk(wire.Risk), Judgments: mapped(wire.Judgments, judgment),
	}
}

// WriteAssessment is for the host.
func WriteAssessment(answer *assize.Assessment) assize_plugin_types.Assessment {
	attributes := answer.Attributes
	if attributes == "" {
		attributes = "{}"
	}
	return assize_plugin_types.Assessment{
		Score: answer.Score, Confidence: answer.Confidence, Findings: mapped(answer.Findings, writeFinding), Attributes: attributes,
	}
}

// WriteRuling is for the host.
func WriteRuling(answer *assize.Ruling) assize_plugin_types.Ruling {
	return assize_plugin_types.Ruling{
		Verdict: uint8(answer.Verdict), Code: answer.Code, Findings: mapped(answer.Findings, writeFinding),
	}
}

func writeFinding(from assize.Finding) assize_plugin_types.Finding {
	return assize_plugin_types.Finding{
		Code: from.Code, Severity: uint8(from.Severity), Message: from.Message, Contribution: from.Points,
		Evidence: mapped(from.Evidence, func(from assize.Evidence) assize_plugin_types.Evidence {
			span := witTypes.None[assize_plugin_types.Span]()
			if from.Span != nil {
				span = witTypes.Some(assize_plugin_types.Span(*from.Span))
			}
			return assize_plugin_types.Evidence{Pointer: from.Pointer, Span: span}
		}),
		Citation: option(from.Citation),
	}
}

// WriteEffects is for the host.
func WriteEffects(effects []assize.Effect) []assize_plugin_planner.Effect {
	return mapped(effects, func(effect assize.Effect) assize_plugin_planner.Effect {
		switch effect := effect.(type) {
		case assize.Alert:
			return assize_plugin_planner.MakeEffectAlert(assize_plugin_planner.Alert{
				Severity: uint8(effect.Severity), Title: effect.Title, Body: effect.Body,
			})
		case assize.Webhook:
			return assize_plugin_planner.MakeEffectWebhook(assize_plugin_planner.Webhook{Url: effect.URL, Body: effect.BodyJSON})
		case assize.Adjustment:
			return assize_plugin_planner.MakeEffectAdjust(assize_plugin_planner.Adjustment{
				Target: effect.Target, Key: effect.Key, Value: effect.ValueJSON,
			})
		case assize.TemporaryRule:
			return assize_plugin_planner.MakeEffectCreateRule(assize_plugin_planner.TemporaryRule{
				Plugin: effect.Plugin, Settings: effect.SettingsJSON, LastsSeconds: effect.LastsSeconds,
			})
		case assize.DisableRule:
			return assize_plugin_planner.MakeEffectDisableRule(string(effect))
		case assize.Escalate:
			return assize_plugin_planner.MakeEffectEscalate(uint8(effect))
		case assize.Request:
			amount := witTypes.None[assize_plugin_planner.Money]()
			if effect.Amount != nil {
				amount = witTypes.Some(assize_plugin_planner.Money(*effect.Amount))
			}
			return assize_plugin_planner.MakeEffectPerform(assize_plugin_planner.Request{
				Action: effect.Action, Amount: amount, Parameters: effect.ParametersJSON,
			})
		}
		panic("an effect of a type that the contract doesn't have")
	})
}
