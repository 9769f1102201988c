/* Between the generated bindings of world `compliance-rule` and a plugin's function. For components only. */

#include "../bindings/compliance_rule.h"

typedef compliance_rule_string_t wire_string;
typedef compliance_rule_option_string_t wire_option;
#include "wire.h"

bool exports_assize_plugin_adjudicator_validate_settings(wire_string *text, exports_assize_plugin_adjudicator_failure_t *told) {
    const assize_json *settings;
    return fine(settings_of(text, &settings), told);
}

bool exports_assize_plugin_adjudicator_rule(wire_string *text, exports_assize_plugin_adjudicator_case_t *wire,
    exports_assize_plugin_adjudicator_risk_t *wire_risk, exports_assize_plugin_adjudicator_ruling_t *told,
    exports_assize_plugin_adjudicator_failure_t *failed) {
    const assize_json *settings;
    assize_case subject;
    assize_ruling ruling = {0};
    assize_failure failure = asked(text, wire, &settings, &subject);
    if (failure.kind == ASSIZE_FINE) {
        assize_risk risk = read_risk(wire_risk);
        failure = assize_plugin_rule(settings, &subject, &risk, &ruling);
    }
    if (!fine(failure, failed)) return false;
    told->verdict = (uint8_t)ruling.verdict;
    told->code = write(ruling.code);
    told->findings = write_findings(&ruling.reasons);
    return true;
}

/* As in component_risk_agent.c. */
void __component_type_object_force_link_compliance_rule(void) {}
