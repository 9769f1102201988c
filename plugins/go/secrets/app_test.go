package main

import (
	"strings"
	"testing"

	"assize/fixtures"
)

func TestFixtures(t *testing.T) { fixtures.Run(t, plugin, "fixtures") }

func TestPlacesLieWithinTheText(t *testing.T) {
	for _, text := range []string{
		"", "-----BEGIN ", "-----BEGIN PRIVATE KEY", "-----BEGIN PRIVATE KEY-----", "AKIA", "eyJ", "eyJ.eyJ.", "eyJ..", "://", "a://b:c@", "a://:@c",
		"password=", "password: \"", "secret=====", "é://ü:ä@ö", strings.Repeat("eyJ.", 1000), strings.Repeat("password=", 1000),
	} {
		for _, kind := range kinds {
			for _, place := range kind.find(text) {
				if place.start < 0 || place.end > len(text) || place.start >= place.end {
					t.Errorf("%s finds %v in %q", kind.code, place, text)
				}
			}
		}
	}
}
