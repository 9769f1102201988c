/* Answers, in few words. */

#include <assize.h>

#include "inside.h"

assize_finding *assize_add(
    assize_assessment *answer, const char *code, assize_severity severity, double points, const char *message, ...) {
    answer->findings = assize_room(answer->findings, answer->finding_count, &answer->finding_room, sizeof *answer->findings);
    assize_finding *finding = &answer->findings[answer->finding_count++];
    va_list arguments;
    va_start(arguments, message);
    *finding = (assize_finding){
        .code = assize_format("%s", code), .message = assize_formatted(message, arguments), .severity = severity, .points = points};
    va_end(arguments);
    return finding;
}

static void add_evidence(assize_finding *finding, assize_evidence evidence) {
    finding->evidence = assize_room(finding->evidence, finding->evidence_count, &finding->evidence_room, sizeof evidence);
    finding->evidence[finding->evidence_count++] = evidence;
}

void assize_at(assize_finding *finding, const assize_text *text, size_t start, size_t end) {
    add_evidence(finding, (assize_evidence){text->pointer, true, (uint32_t)start, (uint32_t)end});
}

void assize_whole(assize_finding *finding, const assize_text *text) {
    add_evidence(finding, (assize_evidence){text->pointer, false, 0, 0});
}

void assize_cite(assize_finding *finding, const char *norm) { finding->citation = assize_format("%s", norm); }

assize_failure assize_answered(assize_assessment *answer, double confidence) {
    double score = 0.0;
    for (size_t n = 0; n < answer->finding_count; n++) score += answer->findings[n].points;
    answer->score = score < 0.0 ? 0.0 : score > 10.0 ? 10.0 : score;
    answer->confidence = confidence;
    return assize_fine();
}

assize_failure assize_fine(void) { return (assize_failure){ASSIZE_FINE, {NULL, 0}}; }

assize_failure assize_refuse_settings(const char *why, ...) {
    va_list arguments;
    va_start(arguments, why);
    assize_failure failure = {ASSIZE_INVALID_SETTINGS, assize_formatted(why, arguments)};
    va_end(arguments);
    return failure;
}

assize_failure assize_refuse_case(const char *why, ...) {
    va_list arguments;
    va_start(arguments, why);
    assize_failure failure = {ASSIZE_INVALID_CASE, assize_formatted(why, arguments)};
    va_end(arguments);
    return failure;
}

assize_failure assize_any_settings(const assize_json *settings) {
    (void)settings;
    return assize_fine();
}

assize_verdict assize_verdict_of(assize_str name, assize_verdict otherwise) {
    static const char *const names[] = {"allow", "warn", "review", "block"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        if (assize_equal(name, assize_str_of(names[n]))) return (assize_verdict)n;
    }
    return otherwise;
}

assize_failure assize_ruled(assize_ruling *ruling, assize_verdict verdict, const char *code) {
    ruling->verdict = verdict;
    ruling->code = assize_format("%s", code);
    return assize_fine();
}

static void plan_effect(assize_plan *plan, assize_effect effect) {
    plan->effects = assize_room(plan->effects, plan->effect_count, &plan->effect_room, sizeof effect);
    plan->effects[plan->effect_count++] = effect;
}

void assize_plan_alert(assize_plan *plan, assize_severity severity, assize_str title, assize_str body) {
    plan_effect(plan, (assize_effect){.kind = ASSIZE_EFFECT_ALERT, .severity = severity, .what = title, .with = body});
}

void assize_plan_webhook(assize_plan *plan, assize_str url, assize_str body) {
    plan_effect(plan, (assize_effect){.kind = ASSIZE_EFFECT_WEBHOOK, .what = url, .with = body});
}

void assize_plan_adjustment(assize_plan *plan, assize_str target, assize_str key, assize_str value) {
    plan_effect(plan, (assize_effect){.kind = ASSIZE_EFFECT_ADJUST, .what = target, .key = key, .with = value});
}

void assize_plan_rule(assize_plan *plan, assize_str plugin, assize_str settings, uint64_t seconds) {
    plan_effect(plan, (assize_effect){.kind = ASSIZE_EFFECT_CREATE_RULE, .what = plugin, .with = settings, .seconds = seconds});
}

void assize_plan_no_rule(assize_plan *plan, assize_str binding) {
    plan_effect(plan, (assize_effect){.kind = ASSIZE_EFFECT_DISABLE_RULE, .what = binding});
}

void assize_plan_escalation(assize_plan *plan, assize_severity severity) {
    plan_effect(plan, (assize_effect){.kind = ASSIZE_EFFECT_ESCALATE, .severity = severity});
}

void assize_plan_request(assize_plan *plan, assize_str action, assize_str amount, assize_str currency, assize_str parameters) {
    if (amount.len == 0) amount = (assize_str){NULL, 0};
    plan_effect(plan, (assize_effect){
        .kind = ASSIZE_EFFECT_PERFORM, .what = action, .amount = amount, .currency = currency, .with = parameters});
}
