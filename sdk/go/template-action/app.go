package main

import (
	"errors"
	"fmt"

	"assize"
	"assize/action"
)

type settings struct {
	Title string `json:"title"`
}

// Check refuses settings when they are set rather than when a case comes.
func (s *settings) Check() error {
	if s.Title == "" {
		return errors.New("title: it is empty")
	}
	return nil
}

func plan(settings *settings, subject *assize.Case, outcome *assize.Outcome) ([]assize.Effect, error) {
	if outcome.Verdict < assize.Review {
		return nil, nil
	}
	body := fmt.Sprintf("%s of a case of kind %s: %s", outcome.Verdict, subject.Kind, outcome.Reason)
	return []assize.Effect{assize.Alert{Severity: assize.High, Title: settings.Title, Body: body}}, nil
}

var plugin = assize.Action(plan)

func init() { action.Export(plugin) }

func main() {}
