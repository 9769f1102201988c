import { action } from "@assize/sdk";

interface Settings {
  title: string;
}

export const planner = action<Settings>(
  (settings, subject, outcome) => {
    if (outcome.verdict !== "review" && outcome.verdict !== "block") return [];
    const body = `${outcome.verdict} of a case of kind ${subject.facts.kind}: ${outcome.reason}`;
    return [{ tag: "alert", val: { severity: "high", title: settings.title, body } }];
  },
  // Makes of the settings' JSON what the action gets; what it throws refuses them when they are set.
  ({ title }) => {
    if (!title) throw new Error("title: it is empty");
    return { title };
  },
);
