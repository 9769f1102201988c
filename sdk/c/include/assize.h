/* Write an Assize plugin in C: one function and a manifest.
 *
 *     #include <assize.h>
 *
 *     static assize_failure assess(const assize_json *settings, const assize_case *subject, assize_assessment *answer) {
 *         size_t count;
 *         const assize_text *texts = assize_texts(subject, &count);
 *         for (size_t i = 0; i < count; i++) {
 *             size_t at = assize_find(texts[i].value, assize_str_of("condor"), 0);
 *             if (at == ASSIZE_NOWHERE) continue;
 *             assize_finding *found = assize_add(answer, "WORD", ASSIZE_LOW, 2.0, "the word `condor`");
 *             assize_at(found, &texts[i], at, at + 6);
 *         }
 *         return assize_answered(answer, 0.9);
 *     }
 *
 *     ASSIZE_RISK_AGENT(assize_any_settings, assess)
 *
 * Strings are UTF-8 with a length, not ended by a zero. Memory comes from `malloc`; in a component it is an arena that
 * lasts for the one call that an instance lives for, and `free` does nothing: nobody needs to free anything here.
 */
#ifndef ASSIZE_H
#define ASSIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ---- Strings ---- */

/* Bytes of UTF-8. */
typedef struct {
    const char *ptr;
    size_t len;
} assize_str;

#define ASSIZE_NOWHERE ((size_t)-1)

static inline assize_str assize_str_of(const char *text) { return (assize_str){text, strlen(text)}; }
static inline bool assize_equal(assize_str a, assize_str b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
/* Where `part` first stands in `whole` at or after `from`, in bytes; else ASSIZE_NOWHERE. */
size_t assize_find(assize_str whole, assize_str part, size_t from);
/* As `printf`, for what messages need: %s (a `const char *`), %t (an `assize_str`), %z (a `size_t`), %%. */
assize_str assize_format(const char *format, ...);

/* ---- JSON ---- */

typedef enum { ASSIZE_NULL, ASSIZE_BOOL, ASSIZE_NUMBER, ASSIZE_STRING, ASSIZE_ARRAY, ASSIZE_OBJECT } assize_kind;

/* A value; its members or items follow one another by `next`, the first is `first`. */
typedef struct assize_json {
    assize_kind kind;
    /* Of a member of an object. */
    assize_str name;
    /* A string with its escapes resolved; a number or bool as it is written. */
    assize_str text;
    struct assize_json *first;
    struct assize_json *next;
} assize_json;

/* NULL where it isn't JSON, or holds half of a surrogate pair, which is no text. */
const assize_json *assize_parse(assize_str document);
/* A member of an object by its name; NULL where it's absent, or `value` is NULL or no object. */
const assize_json *assize_member(const assize_json *value, const char *name);
/* A number as a double, or `otherwise` where there is none. */
double assize_number(const assize_json *value, double otherwise);
/* A string, or `otherwise` where there is none. */
assize_str assize_string(const assize_json *value, assize_str otherwise);

/* ---- The case ---- */

/* A string of the payload and where it stands. */
typedef struct {
    /* JSON Pointer (RFC 6901) into the payload. */
    assize_str pointer;
    /* With its JSON escapes resolved: spans of evidence are offsets into it. */
    assize_str value;
} assize_text;

/* What is judged. An absent string has the pointer NULL. */
typedef struct {
    assize_str id, kind, tenant, system, environment, sector, actor, action, resource;
    const assize_str *jurisdictions;
    size_t jurisdiction_count;
    /* Milliseconds since 1970, UTC. */
    uint64_t occurred_at, rules_as_of;
    const assize_json *payload, *context;
} assize_case;

/* All strings of the payload (values, not keys), in the order in which they stand. */
const assize_text *assize_texts(const assize_case *subject, size_t *count);
/* Whether the case lists the jurisdiction, e.g. "EU". */
bool assize_is_in(const assize_case *subject, const char *code);

/* ---- The answer ---- */

typedef enum { ASSIZE_INFO, ASSIZE_LOW, ASSIZE_MEDIUM, ASSIZE_HIGH, ASSIZE_CRITICAL } assize_severity;

typedef struct {
    assize_str pointer;
    /* No span: the whole value. */
    bool has_span;
    uint32_t start, end;
} assize_evidence;

typedef struct {
    assize_str code, message, citation;
    assize_severity severity;
    double points;
    assize_evidence *evidence;
    size_t evidence_count, evidence_room;
} assize_finding;

typedef struct {
    double score, confidence;
    assize_finding *findings;
    size_t finding_count, finding_room;
    /* A JSON document; "{}" if it isn't set. */
    assize_str attributes;
} assize_assessment;

/* Why there is no answer. */
typedef struct {
    enum { ASSIZE_FINE, ASSIZE_INVALID_SETTINGS, ASSIZE_INVALID_CASE, ASSIZE_INTERNAL } kind;
    assize_str why;
} assize_failure;

/* Adds a finding. Its code is stable: people filter by it, and records keep it for ever. `points` is its share of the
 * score; the message is formatted as by `assize_format`. The finding stands until the next one is added. */
assize_finding *assize_add(
    assize_assessment *answer, const char *code, assize_severity severity, double points, const char *message, ...);
/* Evidence: bytes `start` to `end` of a text; all of it; and the norm behind it. */
void assize_at(assize_finding *finding, const assize_text *text, size_t start, size_t end);
void assize_whole(assize_finding *finding, const assize_text *text);
void assize_cite(assize_finding *finding, const char *norm);
/* Sums up what the findings contribute, held within 0 to 10. For the agent to return. */
assize_failure assize_answered(assize_assessment *answer, double confidence);

assize_failure assize_fine(void);
assize_failure assize_refuse_settings(const char *why, ...);
assize_failure assize_refuse_case(const char *why, ...);

/* ---- Rules ---- */

/* From least to most restrictive; where several apply, the most restrictive wins. */
typedef enum { ASSIZE_ALLOW, ASSIZE_WARN, ASSIZE_REVIEW, ASSIZE_BLOCK } assize_verdict;

/* The verdict of this name; `otherwise` where there is none. */
assize_verdict assize_verdict_of(assize_str name, assize_verdict otherwise);

/* One agent's assessment, named. */
typedef struct {
    /* Name of the binding that the agent ran for. */
    assize_str binding;
    assize_str plugin, version;
    double weight;
    assize_assessment assessment;
} assize_opinion;

/* What the risk agents say together: a score from 0 to 10, a confidence from 0 to 1. */
typedef struct {
    double score, confidence;
    const assize_opinion *opinions;
    size_t opinion_count;
} assize_risk;

typedef struct {
    assize_verdict verdict;
    /* Stable and machine-readable. */
    assize_str code;
    /* Its findings: `assize_add(&ruling->reasons, …)`. The score counts for nothing here. */
    assize_assessment reasons;
} assize_ruling;

/* For the rule to return. */
assize_failure assize_ruled(assize_ruling *ruling, assize_verdict verdict, const char *code);

/* ---- Actions ---- */

/* One rule's ruling, named. */
typedef struct {
    assize_str binding, plugin, version;
    assize_ruling ruling;
} assize_judgment;

/* What came of a case. */
typedef struct {
    assize_verdict verdict;
    /* The decision's reason code. */
    assize_str reason;
    assize_risk risk;
    const assize_judgment *judgments;
    size_t judgment_count;
} assize_outcome;

typedef enum {
    ASSIZE_EFFECT_ALERT, ASSIZE_EFFECT_WEBHOOK, ASSIZE_EFFECT_ADJUST, ASSIZE_EFFECT_CREATE_RULE, ASSIZE_EFFECT_DISABLE_RULE,
    ASSIZE_EFFECT_ESCALATE, ASSIZE_EFFECT_PERFORM
} assize_effect_kind;

/* What an action plans; made by the functions below. The host carries it out, or not. */
typedef struct {
    assize_effect_kind kind;
    assize_severity severity;
    /* A title, URL, target, plugin, binding or action; the key of an adjustment; a body, value, settings or parameters. */
    assize_str what, key, with;
    /* No amount: the pointer NULL. */
    assize_str amount, currency;
    uint64_t seconds;
} assize_effect;

typedef struct {
    assize_effect *effects;
    size_t effect_count, effect_room;
} assize_plan;

void assize_plan_alert(assize_plan *plan, assize_severity severity, assize_str title, assize_str body);
/* Bodies, values, settings and parameters are JSON documents. */
void assize_plan_webhook(assize_plan *plan, assize_str url, assize_str body);
/* Changes a setting of the governed application. */
void assize_plan_adjustment(assize_plan *plan, assize_str target, assize_str key, assize_str value);
/* Binds a rule for a while. */
void assize_plan_rule(assize_plan *plan, assize_str plugin, assize_str settings, uint64_t seconds);
/* Switches a binding off. */
void assize_plan_no_rule(assize_plan *plan, assize_str binding);
/* Asks people to look. */
void assize_plan_escalation(assize_plan *plan, assize_severity severity);
/* Any other action of the governed application, e.g. `user.suspend`. An amount is a decimal such as `1250.00` with an ISO 4217
 * code; none: two empty strings. */
void assize_plan_request(assize_plan *plan, assize_str action, assize_str amount, assize_str currency, assize_str parameters);

/* ---- The plugin ---- */

/* Refuses settings that the plugin can't work with, when they are set rather than when a case comes. */
typedef assize_failure assize_check(const assize_json *settings);
typedef assize_failure assize_assess(const assize_json *settings, const assize_case *subject, assize_assessment *answer);
typedef assize_failure assize_rule(
    const assize_json *settings, const assize_case *subject, const assize_risk *risk, assize_ruling *ruling);
typedef assize_failure assize_action(
    const assize_json *settings, const assize_case *subject, const assize_outcome *outcome, assize_plan *plan);

/* A check that takes any. */
assize_failure assize_any_settings(const assize_json *settings);

extern assize_check *const assize_plugin_check;
extern assize_assess *const assize_plugin_assess;
extern assize_rule *const assize_plugin_rule;
extern assize_action *const assize_plugin_action;

/* Each makes a plugin of a check and a function, once in a plugin. */
#define ASSIZE_RISK_AGENT(check, assess) ASSIZE_PLUGIN(check, assess, NULL, NULL)
#define ASSIZE_COMPLIANCE_RULE(check, rule) ASSIZE_PLUGIN(check, NULL, rule, NULL)
#define ASSIZE_ACTION(check, plan) ASSIZE_PLUGIN(check, NULL, NULL, plan)
#define ASSIZE_PLUGIN(check, assess, rule, plan) \
    assize_check *const assize_plugin_check = (check); \
    assize_assess *const assize_plugin_assess = (assess); \
    assize_rule *const assize_plugin_rule = (rule); \
    assize_action *const assize_plugin_action = (plan);

/* Lines for the plugin's author: bounded by the host and kept with the decision. Tests print them. */
typedef enum { ASSIZE_LOG_DEBUG, ASSIZE_LOG_INFO, ASSIZE_LOG_WARN, ASSIZE_LOG_ERROR } assize_level;
void assize_log(assize_level level, const char *format, ...);

#endif
