package main

import (
	"testing"

	"assize/fixtures"
)

func TestFixtures(t *testing.T) { fixtures.Run(t, plugin, "fixtures") }
