package main

import (
	"errors"
	"fmt"
	"strings"

	"assize"
	"assize/riskagent"
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

func assess(settings *settings, subject *assize.Case) (*assize.Assessment, error) {
	texts, err := subject.Texts()
	if err != nil {
		return nil, err
	}
	var findings []assize.Finding
	for _, text := range texts {
		for _, word := range settings.Words {
			if start := strings.Index(text.Value, word); start >= 0 {
				findings = append(findings, assize.Finding{
					Code: "WORD", Severity: assize.Low, Message: fmt.Sprintf("the word `%s`", word), Points: 2,
					Evidence: []assize.Evidence{text.At(start, start+len(word))},
				})
			}
		}
	}
	return assize.Assess(findings, 0.9), nil
}

var plugin = assize.RiskAgent(assess)

func init() { riskagent.Export(plugin) }

func main() {}
