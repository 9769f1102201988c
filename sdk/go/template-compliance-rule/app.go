package main

import (
	"errors"
	"fmt"
	"strings"

	"assize"
	"assize/compliancerule"
)

type settings struct {
	Words []string `json:"words"`
}

// Check refuses settings when they are set rather than when a case comes.
func (s *settings) Check() error {
	for _, word := range s.Words {
		if word == "" {
			return errors.New("words: an empty word")
		}
	}
	return nil
}

func rule(settings *settings, subject *assize.Case, risk *assize.Risk) (*assize.Ruling, error) {
	texts, err := subject.Texts()
	if err != nil {
		return nil, err
	}
	var findings []assize.Finding
	for _, text := range texts {
		for _, word := range settings.Words {
			if start := strings.Index(text.Value, word); start >= 0 {
				findings = append(findings, assize.Finding{
					Code: "WORD", Severity: assize.High, Message: fmt.Sprintf("the word `%s`", word),
					Evidence: []assize.Evidence{text.At(start, start+len(word))},
				})
			}
		}
	}
	if len(findings) == 0 {
		return &assize.Ruling{Verdict: assize.Allow, Code: "NO_LISTED_WORD"}, nil
	}
	return &assize.Ruling{Verdict: assize.Review, Code: "LISTED_WORD", Findings: findings}, nil
}

var plugin = assize.ComplianceRule(rule)

func init() { compliancerule.Export(plugin) }

func main() {}
