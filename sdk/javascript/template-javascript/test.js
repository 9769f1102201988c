import { test } from "node:test";

import { check } from "@assize/sdk/testing";

import { {{export}} } from "./app.js";

test("fixtures hold", () => check({{export}}, "fixtures"));
