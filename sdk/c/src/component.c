/* Between the contract's generated bindings and a plugin's function. For components only. */

#include <assize.h>
#include <stdlib.h>

#include "../bindings/risk_agent.h"
#include "inside.h"

typedef risk_agent_string_t wire_string;

static assize_str read(wire_string text) { return (assize_str){(const char *)text.ptr, text.len}; }

static assize_str read_option(risk_agent_option_string_t text) {
    return text.is_some ? read(text.val) : (assize_str){NULL, 0};
}

static wire_string write(assize_str text) { return (wire_string){(uint8_t *)text.ptr, text.len}; }

/* Whether it is none. */
static bool fine(assize_failure failure, exports_assize_plugin_assessor_failure_t *told) {
    /* The contract's order is ours. */
    told->tag = (uint8_t)(failure.kind - ASSIZE_INVALID_SETTINGS);
    told->val.internal = write(failure.why);
    return failure.kind == ASSIZE_FINE;
}

static assize_failure settings_of(wire_string *text, const assize_json **settings) {
    *settings = assize_parse(read(*text));
    return *settings == NULL ? assize_refuse_settings("the settings aren't JSON") : assize_plugin_check(*settings);
}

bool exports_assize_plugin_assessor_validate_settings(wire_string *text, exports_assize_plugin_assessor_failure_t *told) {
    const assize_json *settings;
    return fine(settings_of(text, &settings), told);
}

static assize_failure answer_of(wire_string *text, exports_assize_plugin_assessor_case_t *wire, assize_assessment *answer) {
    const assize_json *settings;
    assize_failure failure = settings_of(text, &settings);
    if (failure.kind != ASSIZE_FINE) return failure;
    assize_case subject = {
        .id = read(wire->id), .kind = read(wire->kind), .tenant = read(wire->tenant), .system = read_option(wire->system),
        .environment = read(wire->environment), .sector = read_option(wire->sector), .actor = read_option(wire->actor),
        .action = read_option(wire->action), .resource = read_option(wire->resource),
        /* Both are a pointer and a length. */
        .jurisdictions = (const assize_str *)wire->jurisdictions.ptr, .jurisdiction_count = wire->jurisdictions.len,
        .occurred_at = wire->occurred_at, .rules_as_of = wire->rules_as_of,
        .payload = assize_parse(read(wire->payload)), .context = assize_parse(read(wire->context)),
    };
    if (subject.payload == NULL) return assize_refuse_case("the case's payload can't be read as text");
    if (subject.context == NULL) return assize_refuse_case("the case's context can't be read as text");
    return assize_plugin_assess(settings, &subject, answer);
}

static void *list_of(size_t count, size_t size) {
    void *list = calloc(count == 0 ? 1 : count, size);
    if (list == NULL) abort();
    return list;
}

static assize_plugin_types_list_finding_t write_findings(const assize_assessment *answer) {
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

bool exports_assize_plugin_assessor_assess(wire_string *settings, exports_assize_plugin_assessor_case_t *subject,
    exports_assize_plugin_assessor_assessment_t *told, exports_assize_plugin_assessor_failure_t *failed) {
    assize_assessment answer = {.attributes = {"{}", 2}};
    if (!fine(answer_of(settings, subject, &answer), failed)) return false;
    told->score = answer.score;
    told->confidence = answer.confidence;
    told->findings = write_findings(&answer);
    told->attributes = write(answer.attributes);
    return true;
}

void assize_log(assize_level level, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    wire_string line = write(assize_formatted(format, arguments));
    va_end(arguments);
    assize_plugin_log_log((assize_plugin_log_level_t)level, &line);
}

/* The generated bindings ask for an object that says what the exports mean. `assize plugin pack` adds that, by the
 * manifest's kind. */
void __component_type_object_force_link_risk_agent(void) {}
