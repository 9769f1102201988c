// Package assize helps to write an Assize plugin in Go: one function and a manifest.
//
// A plugin is a pure function of its settings and a case. This package gives that function its types, and one of the packages
// [assize/riskagent], [assize/compliancerule] and [assize/action] makes it what a component exports. [assize/fixtures] runs
// fixtures on your machine.
//
//	package main
//
//	import (
//		"strings"
//
//		"assize"
//		"assize/riskagent"
//	)
//
//	type settings struct {
//		Words []string `json:"words"`
//	}
//
//	func assess(settings *settings, subject *assize.Case) (*assize.Assessment, error) {
//		texts, err := subject.Texts()
//		if err != nil {
//			return nil, err
//		}
//		var findings []assize.Finding
//		for _, text := range texts {
//			for _, word := range settings.Words {
//				if start := strings.Index(text.Value, word); start >= 0 {
//					findings = append(findings, assize.Finding{
//						Code: "WORD", Severity: assize.Low, Message: "the word `" + word + "`", Points: 2,
//						Evidence: []assize.Evidence{text.At(start, start+len(word))},
//					})
//				}
//			}
//		}
//		return assize.Assess(findings, 0.9), nil
//	}
//
//	var plugin = assize.RiskAgent(assess)
//
//	func init() { riskagent.Export(plugin) }
//
//	func main() {}
package assize
