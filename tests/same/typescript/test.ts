import { test } from "node:test";

import { check } from "@assize/sdk/testing";

import { assessor } from "./app.ts";

test("fixtures hold", () => check(assessor, "../../guests/same/fixtures"));
