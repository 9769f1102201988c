import { test } from "node:test";

import { check } from "@assize/sdk/testing";

import { {{export}} } from "./app.ts";

test("fixtures hold", () => check({{export}}, "fixtures"));
