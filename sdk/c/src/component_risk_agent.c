/* Between the generated bindings of world `risk-agent` and a plugin's function. For components only. */

#include "../bindings/risk_agent.h"

typedef risk_agent_string_t wire_string;
typedef risk_agent_option_string_t wire_option;
#include "wire.h"

bool exports_assize_plugin_assessor_validate_settings(wire_string *text, exports_assize_plugin_assessor_failure_t *told) {
    const assize_json *settings;
    return fine(settings_of(text, &settings), told);
}

bool exports_assize_plugin_assessor_assess(wire_string *text, exports_assize_plugin_assessor_case_t *wire,
    exports_assize_plugin_assessor_assessment_t *told, exports_assize_plugin_assessor_failure_t *failed) {
    const assize_json *settings;
    assize_case subject;
    assize_assessment answer = {.attributes = {"{}", 2}};
    assize_failure failure = asked(text, wire, &settings, &subject);
    if (failure.kind == ASSIZE_FINE) failure = assize_plugin_assess(settings, &subject, &answer);
    if (!fine(failure, failed)) return false;
    told->score = answer.score;
    told->confidence = answer.confidence;
    told->findings = write_findings(&answer);
    told->attributes = write(answer.attributes);
    return true;
}

/* The generated bindings ask for an object that says what the exports mean. `assize plugin pack` adds that, by the
 * manifest's kind. */
void __component_type_object_force_link_risk_agent(void) {}
