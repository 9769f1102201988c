/* Runs a plugin's fixtures on your machine, without a host: a program that is linked with the plugin.
 *
 * Usage: PROGRAM FIXTURE.json … */

#include <assize.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "inside.h"

void assize_log(assize_level level, const char *format, ...) {
    static const char *const names[] = {"debug", "info", "warn", "error"};
    va_list arguments;
    va_start(arguments, format);
    assize_str line = assize_formatted(format, arguments);
    va_end(arguments);
    printf("%s: %.*s\n", names[level], (int)line.len, line.ptr);
}

static int complaints;

static void complain(const char *file, assize_str what) {
    fprintf(stderr, "%s: %.*s\n", file, (int)what.len, what.ptr);
    complaints++;
}

static assize_str whole_file(const char *name) {
    assize_buffer buffer = {0};
    FILE *file = fopen(name, "rb");
    if (file == NULL) return (assize_str){NULL, 0};
    char chunk[4096];
    for (size_t read; (read = fread(chunk, 1, sizeof chunk, file)) > 0;) assize_append(&buffer, chunk, read);
    fclose(file);
    return (assize_str){buffer.ptr, buffer.len};
}

static assize_str member(const assize_json *value, const char *name, const char *otherwise) {
    return assize_string(assize_member(value, name), otherwise == NULL ? (assize_str){NULL, 0} : assize_str_of(otherwise));
}

static bool has_code(const assize_assessment *answer, assize_str code) {
    for (size_t n = 0; n < answer->finding_count; n++) {
        if (assize_equal(answer->findings[n].code, code)) return true;
    }
    return false;
}

/* Whether evidence of a finding with this code covers exactly this text. */
static bool covers(const assize_assessment *answer, const assize_case *subject, const assize_json *expected) {
    assize_str code = member(expected, "code", ""), pointer = member(expected, "pointer", ""), wanted = member(expected, "text", "");
    size_t count;
    const assize_text *texts = assize_texts(subject, &count);
    for (size_t n = 0; n < answer->finding_count; n++) {
        const assize_finding *finding = &answer->findings[n];
        if (!assize_equal(finding->code, code)) continue;
        for (size_t place = 0; place < finding->evidence_count; place++) {
            const assize_evidence *at = &finding->evidence[place];
            if (!assize_equal(at->pointer, pointer)) continue;
            for (size_t t = 0; t < count; t++) {
                assize_str value = texts[t].value;
                if (!assize_equal(texts[t].pointer, pointer) || (at->has_span && at->end > value.len)) continue;
                assize_str covered = at->has_span ? (assize_str){value.ptr + at->start, at->end - at->start} : value;
                if (assize_equal(covered, wanted)) return true;
            }
        }
    }
    return false;
}

/* What a plugin answered: a rule's findings and its code stand in `findings`, an action's effects in `plan`. */
typedef struct {
    assize_assessment findings;
    assize_ruling ruling;
    assize_plan plan;
} seen;

static bool has_verdict(const seen *answer, assize_str wanted) {
    return assize_plugin_rule != NULL && assize_verdict_of(wanted, ASSIZE_ALLOW) == answer->ruling.verdict
        && (answer->ruling.verdict != ASSIZE_ALLOW || assize_equal(wanted, assize_str_of("allow")));
}

static bool has_effects(const seen *answer, const assize_json *wanted) {
    static const char *const kinds[] = {"alert", "webhook", "adjust", "create-rule", "disable-rule", "escalate", "perform"};
    size_t n = 0;
    for (const assize_json *kind = wanted->first; kind != NULL; kind = kind->next, n++) {
        if (n >= answer->plan.effect_count) return false;
        if (!assize_equal(kind->text, assize_str_of(kinds[answer->plan.effects[n].kind]))) return false;
    }
    return n == answer->plan.effect_count;
}

static void compare(const char *file, const assize_json *expect, const assize_case *subject, const seen *given) {
    const assize_assessment *answer = &given->findings;
    if (!(answer->score >= assize_number(assize_member(expect, "score_min"), 0))) complain(file, assize_str_of("the score is below score_min"));
    if (!(answer->score <= assize_number(assize_member(expect, "score_max"), 10))) complain(file, assize_str_of("the score is above score_max"));
    if (!(answer->confidence >= 0 && answer->confidence <= 1)) complain(file, assize_str_of("the confidence is out of range"));
    if (answer->attributes.ptr != NULL && assize_parse(answer->attributes) == NULL) complain(file, assize_str_of("the attributes aren't JSON"));
    for (const assize_json *known = expect == NULL ? NULL : expect->first; known != NULL; known = known->next) {
        if (assize_equal(known->name, assize_str_of("codes"))) {
            for (const assize_json *code = known->first; code != NULL; code = code->next) {
                if (!has_code(answer, code->text)) complain(file, assize_format("no finding %t", code->text));
            }
        } else if (assize_equal(known->name, assize_str_of("not_codes"))) {
            for (const assize_json *code = known->first; code != NULL; code = code->next) {
                if (has_code(answer, code->text)) complain(file, assize_format("unwanted finding %t", code->text));
            }
        } else if (assize_equal(known->name, assize_str_of("spans"))) {
            for (const assize_json *span = known->first; span != NULL; span = span->next) {
                if (!covers(answer, subject, span)) complain(file, assize_format("no evidence covers %t", member(span, "text", "")));
            }
        } else if (assize_equal(known->name, assize_str_of("verdict"))) {
            if (!has_verdict(given, known->text)) complain(file, assize_format("the verdict isn't %t", known->text));
        } else if (assize_equal(known->name, assize_str_of("effects"))) {
            if (!has_effects(given, known)) complain(file, assize_str_of("other effects are planned"));
        } else if (!assize_equal(known->name, assize_str_of("score_min")) && !assize_equal(known->name, assize_str_of("score_max"))) {
            complain(file, assize_format("expect has the unknown member %t", known->name));
        }
    }
}

static assize_severity severity_of(assize_str name) {
    static const char *const names[] = {"info", "low", "medium", "high", "critical"};
    size_t n = 0;
    while (n < ASSIZE_CRITICAL && !assize_equal(name, assize_str_of(names[n]))) n++;
    return (assize_severity)n;
}

/* Findings of others, without their evidence: codes and severities are what rules and actions go by. */
static void read_findings(const assize_json *listed, assize_assessment *into) {
    for (const assize_json *from = listed == NULL ? NULL : listed->first; from != NULL; from = from->next) {
        assize_finding *finding = assize_add(into, "", severity_of(member(from, "severity", "info")),
            assize_number(assize_member(from, "contribution"), 0), "%t", member(from, "message", ""));
        finding->code = member(from, "code", "");
    }
}

static assize_risk read_risk(const assize_json *given) {
    assize_risk risk = {
        .score = assize_number(assize_member(given, "score"), 0), .confidence = assize_number(assize_member(given, "confidence"), 1)};
    assize_opinion *opinions = NULL;
    size_t room = 0;
    const assize_json *listed = assize_member(given, "opinions");
    for (const assize_json *from = listed == NULL ? NULL : listed->first; from != NULL; from = from->next) {
        const assize_json *told = assize_member(from, "assessment");
        opinions = assize_room(opinions, risk.opinion_count, &room, sizeof *opinions);
        assize_opinion *opinion = &opinions[risk.opinion_count++];
        *opinion = (assize_opinion){
            .binding = member(from, "binding", ""), .plugin = member(from, "plugin", ""), .version = member(from, "version", ""),
            .weight = assize_number(assize_member(from, "weight"), 1),
            .assessment = {.score = assize_number(assize_member(told, "score"), 0),
                .confidence = assize_number(assize_member(told, "confidence"), 1), .attributes = member(told, "attributes", "{}")},
        };
        read_findings(assize_member(told, "findings"), &opinion->assessment);
    }
    risk.opinions = opinions;
    return risk;
}

static assize_outcome read_outcome(const assize_json *given) {
    assize_outcome outcome = {
        .verdict = assize_verdict_of(member(given, "verdict", "allow"), ASSIZE_BLOCK), .reason = member(given, "reason", ""),
        .risk = read_risk(assize_member(given, "risk"))};
    assize_judgment *judgments = NULL;
    size_t room = 0;
    const assize_json *listed = assize_member(given, "judgments");
    for (const assize_json *from = listed == NULL ? NULL : listed->first; from != NULL; from = from->next) {
        const assize_json *told = assize_member(from, "ruling");
        judgments = assize_room(judgments, outcome.judgment_count, &room, sizeof *judgments);
        assize_judgment *judgment = &judgments[outcome.judgment_count++];
        *judgment = (assize_judgment){
            .binding = member(from, "binding", ""), .plugin = member(from, "plugin", ""), .version = member(from, "version", ""),
            .ruling = {.verdict = assize_verdict_of(member(told, "verdict", "allow"), ASSIZE_BLOCK), .code = member(told, "code", "")},
        };
        read_findings(assize_member(told, "findings"), &judgment->ruling.reasons);
    }
    outcome.judgments = judgments;
    return outcome;
}

/* Asks the plugin, of whichever kind it is. */
static assize_failure judge(const assize_json *fixture, const assize_json *settings, const assize_case *subject, seen *answer) {
    assize_failure failure = assize_plugin_check(settings);
    if (failure.kind != ASSIZE_FINE) return failure;
    if (assize_plugin_assess != NULL) return assize_plugin_assess(settings, subject, &answer->findings);
    if (assize_plugin_rule != NULL) {
        assize_risk risk = read_risk(assize_member(fixture, "risk"));
        failure = assize_plugin_rule(settings, subject, &risk, &answer->ruling);
        answer->findings = answer->ruling.reasons;
        /* The ruling's own code counts among the codes. */
        assize_add(&answer->findings, "", ASSIZE_INFO, 0, "")->code = answer->ruling.code;
        return failure;
    }
    assize_outcome outcome = read_outcome(assize_member(fixture, "outcome"));
    return assize_plugin_action(settings, subject, &outcome, &answer->plan);
}

static void run(const char *file) {
    const assize_json *fixture = assize_parse(whole_file(file));
    if (fixture == NULL) {
        complain(file, assize_str_of("can't be read as JSON"));
        return;
    }
    static const assize_json empty = {.kind = ASSIZE_OBJECT};
    const assize_json *settings = assize_member(fixture, "settings"), *given = assize_member(fixture, "case");
    const assize_json *payload = assize_member(given, "payload"), *context = assize_member(given, "context");
    const assize_json *expect = assize_member(fixture, "expect");
    settings = settings == NULL ? &empty : settings;
    assize_case subject = {
        .id = assize_str_of("00000000-0000-7000-8000-000000000000"), .kind = member(given, "kind", "prompt"),
        .tenant = assize_str_of("fixtures"), .environment = member(given, "environment", "production"),
        .system = member(given, "system", NULL), .sector = member(given, "sector", NULL), .actor = member(given, "actor", NULL),
        .action = member(given, "action", NULL), .resource = member(given, "resource", NULL),
        /* 2026-01-01: this runner reads no dates. */
        .occurred_at = 1767225600000, .rules_as_of = 1767225600000,
        .payload = payload == NULL ? &empty : payload, .context = context == NULL ? &empty : context,
    };
    const assize_json *listed = assize_member(given, "jurisdictions");
    assize_str jurisdictions[64];
    for (const assize_json *code = listed == NULL ? NULL : listed->first; code != NULL && subject.jurisdiction_count < 64; code = code->next) {
        jurisdictions[subject.jurisdiction_count++] = code->text;
    }
    subject.jurisdictions = jurisdictions;
    seen answer = {0};
    assize_failure failure = judge(fixture, settings, &subject, &answer);
    assize_str refusal = member(expect, "failure", NULL);
    if (failure.kind != ASSIZE_FINE) {
        if (refusal.ptr == NULL || assize_find(failure.why, refusal, 0) == ASSIZE_NOWHERE) complain(file, assize_format("refused: %t", failure.why));
    } else if (refusal.ptr != NULL) {
        complain(file, assize_format("expected a failure with `%t`, got an answer", refusal));
    } else {
        compare(file, expect, &subject, &answer);
    }
}

int main(int count, char **files) {
    if (count < 2) {
        fprintf(stderr, "usage: %s FIXTURE.json ...\n", files[0]);
        return 2;
    }
    for (int n = 1; n < count; n++) run(files[n]);
    if (complaints == 0) printf("all %d fixtures hold\n", count - 1);
    return complaints == 0 ? 0 : 1;
}
