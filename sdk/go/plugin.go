package assize

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Plugin is a function of a plugin's with its settings' type taken away: what a component exports, and what fixtures run.
type Plugin struct {
	validate func(settings string) error
	assess   func(settings string, subject *Case) (*Assessment, error)
	rule     func(settings string, subject *Case, risk *Risk) (*Ruling, error)
	plan     func(settings string, subject *Case, outcome *Outcome) ([]Effect, error)
}

// RiskAgent makes a plugin of a function that assesses cases.
//
// Settings are parsed from JSON into an S; members that it doesn't have are refused. If *S has a method `Check() error`, it
// refuses settings when they are set rather than when a case comes.
func RiskAgent[S any](assess func(*S, *Case) (*Assessment, error)) *Plugin {
	return &Plugin{validate: validate[S], assess: func(text string, subject *Case) (*Assessment, error) {
		settings, err := parsed[S](text)
		if err != nil {
			return nil, err
		}
		return assess(settings, subject)
	}}
}

// ComplianceRule makes a plugin of a function that rules on cases. Otherwise as [RiskAgent].
func ComplianceRule[S any](rule func(*S, *Case, *Risk) (*Ruling, error)) *Plugin {
	return &Plugin{validate: validate[S], rule: func(text string, subject *Case, risk *Risk) (*Ruling, error) {
		settings, err := parsed[S](text)
		if err != nil {
			return nil, err
		}
		return rule(settings, subject, risk)
	}}
}

// Action makes a plugin of a function that plans effects. Otherwise as [RiskAgent].
func Action[S any](plan func(*S, *Case, *Outcome) ([]Effect, error)) *Plugin {
	return &Plugin{validate: validate[S], plan: func(text string, subject *Case, outcome *Outcome) ([]Effect, error) {
		settings, err := parsed[S](text)
		if err != nil {
			return nil, err
		}
		return plan(settings, subject, outcome)
	}}
}

// IsRiskAgent says whether [Plugin.Assess] can be called.
func (p *Plugin) IsRiskAgent() bool { return p.assess != nil }

// IsComplianceRule says whether [Plugin.Rule] can be called.
func (p *Plugin) IsComplianceRule() bool { return p.rule != nil }

// ValidateSettings refuses settings that the plugin can't work with; nil: it can.
func (p *Plugin) ValidateSettings(settings string) (failure *Failure) {
	defer recovered(&failure)
	return failureOf(p.validate(settings))
}

// Assess calls a risk agent.
func (p *Plugin) Assess(settings string, subject *Case) (answer *Assessment, failure *Failure) {
	defer recovered(&failure)
	answer, err := p.assess(settings, subject)
	return answer, failureOf(orNothing(answer == nil, err))
}

// Rule calls a compliance rule.
func (p *Plugin) Rule(settings string, subject *Case, risk *Risk) (answer *Ruling, failure *Failure) {
	defer recovered(&failure)
	answer, err := p.rule(settings, subject, risk)
	return answer, failureOf(orNothing(answer == nil, err))
}

// Plan calls an action.
func (p *Plugin) Plan(settings string, subject *Case, outcome *Outcome) (effects []Effect, failure *Failure) {
	defer recovered(&failure)
	effects, err := p.plan(settings, subject, outcome)
	return effects, failureOf(err)
}

func orNothing(nothing bool, err error) error {
	if nothing && err == nil {
		return errors.New("neither an answer nor an error")
	}
	return err
}

// recovered turns a panic into a failure that names it, rather than a trap, which doesn't.
func recovered(failure **Failure) {
	if cause := recover(); cause != nil {
		*failure = &Failure{InternalFailure, fmt.Sprintf("panic: %v", cause)}
	}
}

func validate[S any](text string) error {
	_, err := parsed[S](text)
	return err
}

func parsed[S any](text string) (*S, error) {
	settings := new(S)
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(settings); err != nil {
		return nil, InvalidSettings("%v", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, InvalidSettings("something follows the settings' JSON")
	}
	if checked, ok := any(settings).(interface{ Check() error }); ok {
		if err := checked.Check(); err != nil {
			return nil, InvalidSettings("%v", err)
		}
	}
	return settings, nil
}
