// The agent that is written in every language, in Go: what it does stands in ../README.md.
package main

import (
	"errors"
	"fmt"
	"math/rand"
	"os"
	"strings"
	"time"

	"assize"
	"assize/riskagent"
)

const mostPlaces = 20

type settings struct {
	Phrases []struct {
		Phrase string  `json:"phrase"`
		Code   string  `json:"code"`
		Points float64 `json:"points"`
	} `json:"phrases"`
	World bool `json:"world"`
}

func (s *settings) Check() error {
	for _, phrase := range s.Phrases {
		if phrase.Phrase == "" {
			return errors.New("phrases: an empty phrase")
		}
	}
	return nil
}

func folded(text string) string {
	return strings.Map(func(letter rune) rune {
		if letter >= 'A' && letter <= 'Z' {
			return letter + ('a' - 'A')
		}
		return letter
	}, text)
}

func places(text, wanted string) []int {
	var found []int
	for start := 0; ; {
		next := strings.Index(text[start:], wanted)
		if next < 0 {
			return found
		}
		found = append(found, start+next)
		start += next + len(wanted)
	}
}

func assess(settings *settings, subject *assize.Case) (*assize.Assessment, error) {
	texts, err := subject.Texts()
	if err != nil {
		return nil, err
	}
	// As many characters, and as many bytes.
	within := make([]string, len(texts))
	bytes := 0
	for n, text := range texts {
		within[n] = folded(text.Value)
		bytes += len(text.Value)
	}
	var findings []assize.Finding
	for _, phrase := range settings.Phrases {
		wanted := folded(phrase.Phrase)
		for n, text := range texts {
			found := places(within[n], wanted)
			if len(found) == 0 {
				continue
			}
			finding := assize.Finding{
				Code: phrase.Code, Severity: assize.Low, Points: phrase.Points * float64(len(found)),
				Message: fmt.Sprintf(`"%s" stands here %d times`, phrase.Phrase, len(found)),
			}
			for _, start := range found[:min(len(found), mostPlaces)] {
				finding.Evidence = append(finding.Evidence, text.At(start, start+len(wanted)))
			}
			findings = append(findings, finding)
		}
	}
	attributes := map[string]any{"bytes": bytes, "texts": len(texts)}
	if settings.World {
		world(attributes)
	}
	return assize.Assess(findings, 0.75).With(attributes)
}

func world(seen map[string]any) {
	fmt.Println("a line on standard output")
	assize.Infof("a line in the log")
	seen["milliseconds"] = time.Now().UnixMilli()
	seen["random"] = rand.Float64()
	seen["environment"] = len(os.Environ())
	seen["arguments"] = len(os.Args)
	refused := func(err error) string {
		if err == nil {
			return "allowed"
		}
		return "refused"
	}
	_, err := os.Open("/etc/passwd")
	seen["file"] = refused(err)
	_, err = os.Create("/tmp/x")
	seen["written"] = refused(err)
	_, err = os.ReadDir("/")
	seen["folder"] = refused(err)
}

var plugin = assize.RiskAgent(assess)

func init() { riskagent.Export(plugin) }

func main() {}
