/* Between the contract's types and the library's: what the components of all worlds share. Each world's header declares the same
 * types; one that includes this has said what its strings are called (`wire_string`, `wire_option`). */

#include <assize.h>
#include <stdlib.h>

#include "inside.h"

static inline assize_str read(wire_string text) { return (assize_str){(const char *)text.ptr, text.len}; }

static inline assize_str read_option(wire_option text) { return text.is_some ? read(text.val) : (assize_str){NULL, 0}; }

static inline wire_string write(assize_str text) { return (wire_string){(uint8_t *)text.ptr, text.len}; }

/* Whether it is none. */
static inline bool fine(assize_failure failure, assize_plugin_types_failure_t *told) {
    /* The contract's order is ours. */
    told->tag = (uint8_t)(failure.kind - ASSIZE_INVALID_SETTINGS);
    told->val.internal = write(failure.why);
    return failure.kind == ASSIZE_FINE;
}

static inline assize_failure settings_of(wire_string *text, const assize_json **settings) {
    *settings = assize_parse(read(*text));
    return *settings == NULL ? assize_refuse_settings("the settings aren't JSON") : assize_plugin_check(*settings);
}

/* Both parts of a question. */
static inline assize_failure asked(
    wire_string *text, assize_plugin_types_case_t *wire, const assize_json **settings, assize_case *subject) {
    assize_failure failure = settings_of(text, settings);
    if (failure.kind != ASSIZE_FINE) return failure;
    *subject = (assize_case){
        .id = read(wire->id), .kind = read(wire->kind), .tenant = read(wire->tenant), .system = read_option(wire->system),
        .environment = read(wire->environment), .sector = read_option(wire->sector), .actor = read_option(wire->actor),
        .action = read_option(wire->action), .resource = read_option(wire->resource),
        /* Both are a pointer and a length. */
        .jurisdictions = (const assize_str *)wire->jurisdictions.ptr, .jurisdiction_count = wire->jurisdictions.len,
        .occurred_at = wire->occurred_at, .rules_as_of = wire->rules_as_of,
        .payload = assize_parse(read(wire->payload)), .context = assize_parse(read(wire->context)),
    };
    if (subject->payload == NULL) return assize_refuse_case("the case's payload can't be read as text");
    if (subject->context == NULL) return assize_refuse_case("the case's context can't be read as text");
    return assize_fine();
}

static inline void *list_of(size_t count, size_t size) {
    void *list = calloc(count == 0 ? 1 : count, size);
    if (list == NULL) abort();
    return list;
}

static inline assize_plugin_types_list_finding_t write_findings(const assize_assessment *answer) {
    assize_plugin_types_finding_t *list = list_of(answer->finding_count, sizeof *list);
    for (size_t n = 0; n < answer->finding_count; n++) {
        const assize_finding *from = &answer->findings[n];
        assize_plugin_types_evidence_t *evidence = list_of(from->evidence_count, sizeof *evidence);
        for (size_t place = 0; place < from->evidence_count; place++) {
            const assize_evidence *at = &from->evidence[place];
            evidence[place].pointer = write(at->pointer);
            evidence[place].span.is_some = at->has_span;
            evidence[place].span.val = (assize_plugin_types_span_t){at->start, at->end};
        }
        list[n] = (assize_plugin_types_finding_t){
            .code = write(from->code), .severity = (uint8_t)from->severity, .message = write(from->message),
            .contribution = from->points, .evidence = {evidence, from->evidence_count},
            .citation = {from->citation.ptr != NULL, write(from->citation)},
        };
    }
    return (assize_plugin_types_list_finding_t){list, answer->finding_count};
}

/* The findings of others, as rules and actions get them. */
static inline void read_findings(assize_plugin_types_list_finding_t wire, assize_assessment *into) {
    into->findings = list_of(wire.len, sizeof *into->findings);
    into->finding_count = into->finding_room = wire.len;
    for (size_t n = 0; n < wire.len; n++) {
        const assize_plugin_types_finding_t *from = &wire.ptr[n];
        assize_evidence *evidence = list_of(from->evidence.len, sizeof *evidence);
        for (size_t place = 0; place < from->evidence.len; place++) {
            const assize_plugin_types_evidence_t *at = &from->evidence.ptr[place];
            evidence[place] = (assize_evidence){read(at->pointer), at->span.is_some, at->span.val.start, at->span.val.end};
        }
        into->findings[n] = (assize_finding){
            .code = read(from->code), .message = read(from->message), .citation = read_option(from->citation),
            .severity = (assize_severity)from->severity, .points = from->contribution, .evidence = evidence,
            .evidence_count = from->evidence.len, .evidence_room = from->evidence.len,
        };
    }
}

static inline assize_risk read_risk(const assize_plugin_types_risk_t *wire) {
    assize_opinion *opinions = list_of(wire->opinions.len, sizeof *opinions);
    for (size_t n = 0; n < wire->opinions.len; n++) {
        const assize_plugin_types_opinion_t *from = &wire->opinions.ptr[n];
        opinions[n] = (assize_opinion){
            .binding = read(from->binding), .plugin = read(from->plugin), .version = read(from->version), .weight = from->weight,
            .assessment = {.score = from->assessment.score, .confidence = from->assessment.confidence,
                .attributes = read(from->assessment.attributes)},
        };
        read_findings(from->assessment.findings, &opinions[n].assessment);
    }
    return (assize_risk){wire->score, wire->confidence, opinions, wire->opinions.len};
}

void assize_log(assize_level level, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    wire_string line = write(assize_formatted(format, arguments));
    va_end(arguments);
    assize_plugin_log_log((assize_plugin_log_level_t)level, &line);
}
