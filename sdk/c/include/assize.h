/* Write an Assize risk agent in C: one function and a manifest.
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

/* ---- The plugin ---- */

/* Refuses settings that the agent can't work with, when they are set rather than when a case comes. */
typedef assize_failure assize_check(const assize_json *settings);
typedef assize_failure assize_assess(const assize_json *settings, const assize_case *subject, assize_assessment *answer);

/* A check that takes any. */
assize_failure assize_any_settings(const assize_json *settings);

/* Makes a risk agent of both, once in a plugin. */
#define ASSIZE_RISK_AGENT(check, assess) \
    assize_check *const assize_plugin_check = (check); \
    assize_assess *const assize_plugin_assess = (assess);

extern assize_check *const assize_plugin_check;
extern assize_assess *const assize_plugin_assess;

/* Lines for the plugin's author: bounded by the host and kept with the decision. Tests print them. */
typedef enum { ASSIZE_LOG_DEBUG, ASSIZE_LOG_INFO, ASSIZE_LOG_WARN, ASSIZE_LOG_ERROR } assize_level;
void assize_log(assize_level level, const char *format, ...);

#endif
