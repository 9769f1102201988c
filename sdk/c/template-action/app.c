#include <assize.h>

static const assize_str nothing = {"", 0};

/* Refuses settings when they are set, rather than when a case comes. */
static assize_failure check(const assize_json *settings) {
    if (assize_string(assize_member(settings, "title"), nothing).len == 0) return assize_refuse_settings("title: it is empty");
    return assize_fine();
}

static assize_failure plan(
    const assize_json *settings, const assize_case *subject, const assize_outcome *outcome, assize_plan *plan) {
    if (outcome->verdict < ASSIZE_REVIEW) return assize_fine();
    const char *verdict = outcome->verdict == ASSIZE_BLOCK ? "block" : "review";
    assize_str body = assize_format("%s of a case of kind %t: %t", verdict, subject->kind, outcome->reason);
    assize_plan_alert(plan, ASSIZE_HIGH, assize_string(assize_member(settings, "title"), nothing), body);
    return assize_fine();
}

ASSIZE_ACTION(check, plan)
