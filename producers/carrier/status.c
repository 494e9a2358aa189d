/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Codes of carriers. A code that says that nothing has moved yet (ordered, waiting for the courier, no information)
 * stands here as unknown: nobody is told of it, and it is no surprise. The first code of a status is the usual one.
 */
#include "carrier/status.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"

struct row {
    const char *code;
    enum express_status status;
};

struct table {
    const struct row *rows;
    size_t n;
};

/* Words of services, people and several carriers: our own form, and what a table below does not have. */
static const struct row WORDS[] = {
    {"collected", EXPRESS_COLLECTED},
    {"collect", EXPRESS_COLLECTED},
    {"picked_up", EXPRESS_COLLECTED},
    {"pickup", EXPRESS_COLLECTED},
    {"got", EXPRESS_COLLECTED},
    {"accepted", EXPRESS_COLLECTED},
    {"揽收", EXPRESS_COLLECTED},
    {"已揽收", EXPRESS_COLLECTED},
    {"揽件", EXPRESS_COLLECTED},
    {"已揽件", EXPRESS_COLLECTED},
    {"已收件", EXPRESS_COLLECTED},
    {"已取件", EXPRESS_COLLECTED},
    {"in_transit", EXPRESS_IN_TRANSIT},
    {"intransit", EXPRESS_IN_TRANSIT},
    {"transit", EXPRESS_IN_TRANSIT},
    {"transport", EXPRESS_IN_TRANSIT},
    {"shipped", EXPRESS_IN_TRANSIT},
    {"arrival", EXPRESS_IN_TRANSIT},
    {"arrived", EXPRESS_IN_TRANSIT},
    {"departure", EXPRESS_IN_TRANSIT},
    {"departed", EXPRESS_IN_TRANSIT},
    {"在途", EXPRESS_IN_TRANSIT},
    {"在途中", EXPRESS_IN_TRANSIT},
    {"运输中", EXPRESS_IN_TRANSIT},
    {"干线", EXPRESS_IN_TRANSIT},
    {"转递", EXPRESS_IN_TRANSIT},
    {"转单", EXPRESS_IN_TRANSIT},
    {"转投", EXPRESS_IN_TRANSIT},
    {"转寄", EXPRESS_IN_TRANSIT},
    {"到达派件城市", EXPRESS_IN_TRANSIT},
    {"customs", EXPRESS_CUSTOMS},
    {"clearance", EXPRESS_CUSTOMS},
    {"清关", EXPRESS_CUSTOMS},
    {"待清关", EXPRESS_CUSTOMS},
    {"清关中", EXPRESS_CUSTOMS},
    {"已清关", EXPRESS_CUSTOMS},
    {"out_for_delivery", EXPRESS_OUT_FOR_DELIVERY},
    {"outfordelivery", EXPRESS_OUT_FOR_DELIVERY},
    {"delivering", EXPRESS_OUT_FOR_DELIVERY},
    {"sent", EXPRESS_OUT_FOR_DELIVERY},
    {"sent_scan", EXPRESS_OUT_FOR_DELIVERY},
    {"派件", EXPRESS_OUT_FOR_DELIVERY},
    {"派件中", EXPRESS_OUT_FOR_DELIVERY},
    {"派送中", EXPRESS_OUT_FOR_DELIVERY},
    {"配送中", EXPRESS_OUT_FOR_DELIVERY},
    {"投柜或驿站", EXPRESS_OUT_FOR_DELIVERY},
    {"待取件", EXPRESS_OUT_FOR_DELIVERY},
    {"exception", EXPRESS_EXCEPTION},
    {"failed", EXPRESS_EXCEPTION},
    {"failure", EXPRESS_EXCEPTION},
    {"problem", EXPRESS_EXCEPTION},
    {"rejected", EXPRESS_EXCEPTION},
    {"refused", EXPRESS_EXCEPTION},
    {"疑难", EXPRESS_EXCEPTION},
    {"疑难件", EXPRESS_EXCEPTION},
    {"问题件", EXPRESS_EXCEPTION},
    {"异常", EXPRESS_EXCEPTION},
    {"拒签", EXPRESS_EXCEPTION},
    {"拒收", EXPRESS_EXCEPTION},
    {"清关异常", EXPRESS_EXCEPTION},
    {"派件异常", EXPRESS_EXCEPTION},
    {"超时未签收", EXPRESS_EXCEPTION},
    {"超时未更新", EXPRESS_EXCEPTION},
    {"柜或驿站超时未取", EXPRESS_EXCEPTION},
    {"无法联系", EXPRESS_EXCEPTION},
    {"超区", EXPRESS_EXCEPTION},
    {"滞留", EXPRESS_EXCEPTION},
    {"破损", EXPRESS_EXCEPTION},
    {"销单", EXPRESS_EXCEPTION},
    {"已销单", EXPRESS_EXCEPTION},
    {"delivered", EXPRESS_DELIVERED},
    {"signed", EXPRESS_DELIVERED},
    {"sign", EXPRESS_DELIVERED},
    {"签收", EXPRESS_DELIVERED},
    {"已签收", EXPRESS_DELIVERED},
    {"本人签收", EXPRESS_DELIVERED},
    {"代签", EXPRESS_DELIVERED},
    {"代签收", EXPRESS_DELIVERED},
    {"派件异常后签收", EXPRESS_DELIVERED},
    {"投柜或站签收", EXPRESS_DELIVERED},
    {"妥投", EXPRESS_DELIVERED},
    {"returned", EXPRESS_RETURNED},
    {"return", EXPRESS_RETURNED},
    {"退回", EXPRESS_RETURNED},
    {"已退回", EXPRESS_RETURNED},
    {"退签", EXPRESS_RETURNED},
    {"退件", EXPRESS_RETURNED},
    {"created", EXPRESS_UNKNOWN},
    {"pending", EXPRESS_UNKNOWN},
    {"已下单", EXPRESS_UNKNOWN},
    {"待揽收", EXPRESS_UNKNOWN},
};

/* The report's state, and of nodes with resultv2 statusCode. */
static const struct row KUAIDI100[] = {
    {"0", EXPRESS_IN_TRANSIT},
    {"1001", EXPRESS_IN_TRANSIT},
    {"1002", EXPRESS_IN_TRANSIT},
    {"1003", EXPRESS_IN_TRANSIT},
    {"7", EXPRESS_IN_TRANSIT},
    {"1", EXPRESS_COLLECTED},
    {"101", EXPRESS_UNKNOWN},
    {"102", EXPRESS_UNKNOWN},
    {"103", EXPRESS_COLLECTED},
    {"2", EXPRESS_EXCEPTION},
    {"201", EXPRESS_EXCEPTION},
    {"202", EXPRESS_EXCEPTION},
    {"203", EXPRESS_EXCEPTION},
    {"204", EXPRESS_EXCEPTION},
    {"205", EXPRESS_EXCEPTION},
    {"206", EXPRESS_EXCEPTION},
    {"207", EXPRESS_EXCEPTION},
    {"208", EXPRESS_EXCEPTION},
    {"209", EXPRESS_EXCEPTION},
    {"210", EXPRESS_EXCEPTION},
    {"211", EXPRESS_EXCEPTION},
    {"3", EXPRESS_DELIVERED},
    {"301", EXPRESS_DELIVERED},
    {"302", EXPRESS_DELIVERED},
    {"303", EXPRESS_DELIVERED},
    {"304", EXPRESS_DELIVERED},
    {"4", EXPRESS_RETURNED},
    {"401", EXPRESS_EXCEPTION}, /* called off */
    {"6", EXPRESS_RETURNED},
    {"5", EXPRESS_OUT_FOR_DELIVERY},
    {"501", EXPRESS_OUT_FOR_DELIVERY} /* lies in a locker */,
    {"8", EXPRESS_CUSTOMS},
    {"10", EXPRESS_CUSTOMS},
    {"11", EXPRESS_CUSTOMS},
    {"12", EXPRESS_CUSTOMS},
    {"13", EXPRESS_EXCEPTION},
    {"14", EXPRESS_EXCEPTION}, /* refused: what follows is 6, then 4 */
};

/* State, StateEx, and of nodes Action. */
static const struct row KDNIAO[] = {
    {"0", EXPRESS_UNKNOWN},
    {"10", EXPRESS_UNKNOWN},
    {"1", EXPRESS_COLLECTED},
    {"2", EXPRESS_IN_TRANSIT},
    {"201", EXPRESS_IN_TRANSIT},
    {"204", EXPRESS_IN_TRANSIT},
    {"205", EXPRESS_IN_TRANSIT},
    {"206", EXPRESS_IN_TRANSIT},
    {"202", EXPRESS_OUT_FOR_DELIVERY},
    {"211", EXPRESS_OUT_FOR_DELIVERY}, /* lies in a locker */
    {"3", EXPRESS_DELIVERED},
    {"301", EXPRESS_DELIVERED},
    {"302", EXPRESS_DELIVERED},
    {"304", EXPRESS_DELIVERED},
    {"311", EXPRESS_DELIVERED},
    {"4", EXPRESS_EXCEPTION},
    {"401", EXPRESS_EXCEPTION},
    {"402", EXPRESS_EXCEPTION},
    {"403", EXPRESS_EXCEPTION},
    {"404", EXPRESS_EXCEPTION},
    {"405", EXPRESS_EXCEPTION},
    {"406", EXPRESS_RETURNED},
    {"407", EXPRESS_RETURNED},
    {"412", EXPRESS_EXCEPTION},
    {"413", EXPRESS_EXCEPTION},
    {"414", EXPRESS_EXCEPTION},
    {"415", EXPRESS_EXCEPTION},
    {"416", EXPRESS_EXCEPTION},
    {"417", EXPRESS_EXCEPTION},
    {"418", EXPRESS_OUT_FOR_DELIVERY}, /* taken out of the locker again, by the courier */
    {"419", EXPRESS_OUT_FOR_DELIVERY},
    {"420", EXPRESS_EXCEPTION},
    {"421", EXPRESS_EXCEPTION},
    {"422", EXPRESS_EXCEPTION},
    {"423", EXPRESS_EXCEPTION},
    {"5", EXPRESS_IN_TRANSIT},
    {"6", EXPRESS_CUSTOMS},
    {"601", EXPRESS_CUSTOMS},
    {"602", EXPRESS_CUSTOMS},
    {"603", EXPRESS_CUSTOMS},
    {"604", EXPRESS_EXCEPTION},
};

/* opCode. 70 and 33 are tried again; 125, 130 and 678 lie in a locker or a shop; 648 and 631 go back. */
static const struct row SF[] = {
    {"50", EXPRESS_COLLECTED},         {"54", EXPRESS_COLLECTED},         {"51", EXPRESS_COLLECTED},
    {"43", EXPRESS_COLLECTED},         {"46", EXPRESS_COLLECTED},         {"188", EXPRESS_COLLECTED},
    {"214", EXPRESS_COLLECTED},        {"607", EXPRESS_COLLECTED},        {"651", EXPRESS_COLLECTED},
    {"655", EXPRESS_COLLECTED},        {"700", EXPRESS_COLLECTED},        {"701", EXPRESS_COLLECTED},
    {"950", EXPRESS_COLLECTED},        {"30", EXPRESS_IN_TRANSIT},        {"31", EXPRESS_IN_TRANSIT},
    {"36", EXPRESS_IN_TRANSIT},        {"10", EXPRESS_IN_TRANSIT},        {"11", EXPRESS_IN_TRANSIT},
    {"34", EXPRESS_IN_TRANSIT},        {"47", EXPRESS_IN_TRANSIT},        {"66", EXPRESS_IN_TRANSIT},
    {"75", EXPRESS_IN_TRANSIT},        {"84", EXPRESS_IN_TRANSIT},        {"86", EXPRESS_IN_TRANSIT},
    {"88", EXPRESS_IN_TRANSIT},        {"89", EXPRESS_IN_TRANSIT},        {"96", EXPRESS_IN_TRANSIT},
    {"97", EXPRESS_IN_TRANSIT},        {"99", EXPRESS_IN_TRANSIT},        {"106", EXPRESS_IN_TRANSIT},
    {"147", EXPRESS_IN_TRANSIT},       {"186", EXPRESS_IN_TRANSIT},       {"187", EXPRESS_IN_TRANSIT},
    {"189", EXPRESS_IN_TRANSIT},       {"190", EXPRESS_IN_TRANSIT},       {"302", EXPRESS_IN_TRANSIT},
    {"304", EXPRESS_IN_TRANSIT},       {"570", EXPRESS_IN_TRANSIT},       {"571", EXPRESS_IN_TRANSIT},
    {"605", EXPRESS_IN_TRANSIT},       {"626", EXPRESS_IN_TRANSIT},       {"628", EXPRESS_IN_TRANSIT},
    {"649", EXPRESS_IN_TRANSIT},       {"656", EXPRESS_IN_TRANSIT},       {"657", EXPRESS_IN_TRANSIT},
    {"847", EXPRESS_IN_TRANSIT},       {"850", EXPRESS_IN_TRANSIT},       {"851", EXPRESS_IN_TRANSIT},
    {"921", EXPRESS_IN_TRANSIT},       {"930", EXPRESS_IN_TRANSIT},       {"931", EXPRESS_IN_TRANSIT},
    {"932", EXPRESS_IN_TRANSIT},       {"604", EXPRESS_CUSTOMS},          {"606", EXPRESS_CUSTOMS},
    {"612", EXPRESS_CUSTOMS},          {"613", EXPRESS_CUSTOMS},          {"614", EXPRESS_CUSTOMS},
    {"619", EXPRESS_CUSTOMS},          {"620", EXPRESS_CUSTOMS},          {"621", EXPRESS_CUSTOMS},
    {"623", EXPRESS_CUSTOMS},          {"44", EXPRESS_OUT_FOR_DELIVERY},  {"122", EXPRESS_OUT_FOR_DELIVERY},
    {"123", EXPRESS_OUT_FOR_DELIVERY}, {"125", EXPRESS_OUT_FOR_DELIVERY}, {"130", EXPRESS_OUT_FOR_DELIVERY},
    {"204", EXPRESS_OUT_FOR_DELIVERY}, {"211", EXPRESS_OUT_FOR_DELIVERY}, {"212", EXPRESS_OUT_FOR_DELIVERY},
    {"630", EXPRESS_OUT_FOR_DELIVERY}, {"637", EXPRESS_OUT_FOR_DELIVERY}, {"677", EXPRESS_OUT_FOR_DELIVERY},
    {"678", EXPRESS_OUT_FOR_DELIVERY}, {"933", EXPRESS_OUT_FOR_DELIVERY}, {"33", EXPRESS_EXCEPTION},
    {"70", EXPRESS_EXCEPTION},         {"72", EXPRESS_EXCEPTION},         {"77", EXPRESS_EXCEPTION},
    {"126", EXPRESS_EXCEPTION},        {"131", EXPRESS_EXCEPTION},        {"627", EXPRESS_EXCEPTION},
    {"646", EXPRESS_EXCEPTION},        {"833", EXPRESS_EXCEPTION},        {"870", EXPRESS_EXCEPTION},
    {"934", EXPRESS_EXCEPTION},        {"80", EXPRESS_DELIVERED},         {"8000", EXPRESS_DELIVERED},
    {"128", EXPRESS_DELIVERED},        {"219", EXPRESS_DELIVERED},        {"658", EXPRESS_DELIVERED},
    {"679", EXPRESS_DELIVERED},        {"935", EXPRESS_DELIVERED},        {"648", EXPRESS_RETURNED},
    {"631", EXPRESS_RETURNED},
};

/* logisticsStatus of reports, action of traces; the longer ones are of parcels that cross borders. */
static const struct row CAINIAO[] = {
    {"WAIT", EXPRESS_UNKNOWN},
    {"WAIT_ACCEPT", EXPRESS_UNKNOWN},
    {"CREATE", EXPRESS_UNKNOWN},
    {"CONSIGN", EXPRESS_UNKNOWN},
    {"ACCEPT", EXPRESS_UNKNOWN}, /* the order is accepted, nobody has come for the parcel */
    {"GWMS_ACCEPT", EXPRESS_UNKNOWN},
    {"MODIFY_WEIGHT", EXPRESS_UNKNOWN},
    {"GOT", EXPRESS_COLLECTED},
    {"PU_PICKUP_SUCCESS", EXPRESS_COLLECTED},
    {"TRANSPORT", EXPRESS_IN_TRANSIT},
    {"TRANSIT", EXPRESS_IN_TRANSIT},
    {"ARRIVAL", EXPRESS_IN_TRANSIT},
    {"DEPARTURE", EXPRESS_IN_TRANSIT},
    {"SC_INBOUND_SUCCESS", EXPRESS_IN_TRANSIT},
    {"SC_OUTBOUND_SUCCESS", EXPRESS_IN_TRANSIT},
    {"LH_HO_IN_SUCCESS", EXPRESS_IN_TRANSIT},
    {"LH_DEPART", EXPRESS_IN_TRANSIT},
    {"LH_ARRIVE", EXPRESS_IN_TRANSIT},
    {"GTMS_ACCEPT", EXPRESS_IN_TRANSIT},
    {"CC_EX_START", EXPRESS_CUSTOMS},
    {"CC_EX_SUCCESS", EXPRESS_CUSTOMS},
    {"CC_IM_START", EXPRESS_CUSTOMS},
    {"CC_IM_SUCCESS", EXPRESS_CUSTOMS},
    {"CC_HO_IN_SUCCESS", EXPRESS_CUSTOMS},
    {"CC_HO_OUT_SUCCESS", EXPRESS_CUSTOMS},
    {"DELIVERING", EXPRESS_OUT_FOR_DELIVERY},
    {"SENT_SCAN", EXPRESS_OUT_FOR_DELIVERY},
    {"GTMS_DO_DEPART", EXPRESS_OUT_FOR_DELIVERY},
    {"AGENT_SIGN", EXPRESS_OUT_FOR_DELIVERY}, /* lies in a locker */
    {"STA_INBOUND", EXPRESS_OUT_FOR_DELIVERY},
    {"FAILED", EXPRESS_EXCEPTION},
    {"REJECT", EXPRESS_EXCEPTION},
    {"GTMS_DEL_FAILURE", EXPRESS_EXCEPTION},
    {"SIGN", EXPRESS_DELIVERED},
    {"SIGNED", EXPRESS_DELIVERED},
    {"STA_SIGN", EXPRESS_DELIVERED},
    {"GTMS_SIGNED", EXPRESS_DELIVERED},
    {"RETURN", EXPRESS_RETURNED},
};

static const struct table TABLES[CARRIER_FORMS] = {
    [CARRIER_JSON] = {NULL, 0}, /* words; numbers as kuaidi100 has them, see json.c */
    [CARRIER_KUAIDI100] = {KUAIDI100, ARRAY_SIZE(KUAIDI100)},
    [CARRIER_SF] = {SF, ARRAY_SIZE(SF)},
    [CARRIER_KDNIAO] = {KDNIAO, ARRAY_SIZE(KDNIAO)},
    [CARRIER_CAINIAO] = {CAINIAO, ARRAY_SIZE(CAINIAO)},
};

/* Without blanks around it; `-` and blanks within are `_`. False: too long for any table. */
static bool fold(const char *code, char out[CARRIER_CODE_MAX + 1])
{
    size_t from = strspn(code, " \t");
    size_t n = strlen(code + from);
    while (n > 0 && (code[from + n - 1] == ' ' || code[from + n - 1] == '\t')) {
        n--;
    }
    if (n == 0 || n > CARRIER_CODE_MAX) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        char c = code[from + i];
        out[i] = (char)(c == '-' || c == ' ' ? '_' : c);
    }
    out[n] = '\0';
    return true;
}

static bool look_up(const struct row *rows, size_t n, const char *code, enum express_status *out)
{
    for (size_t i = 0; i < n; i++) {
        if (strcasecmp(rows[i].code, code) == 0) {
            *out = rows[i].status;
            return true;
        }
    }
    return false;
}

bool status_find(enum carrier_form form, const char *code, enum express_status *out)
{
    char folded[CARRIER_CODE_MAX + 1];
    *out = EXPRESS_UNKNOWN;
    return code != NULL && fold(code, folded) &&
           (look_up(TABLES[form].rows, TABLES[form].n, folded, out) || look_up(WORDS, ARRAY_SIZE(WORDS), folded, out));
}

enum express_status status_of_code(enum carrier_form form, const char *code)
{
    enum express_status status = EXPRESS_UNKNOWN;
    (void)status_find(form, code, &status);
    return status;
}

const char *status_code(enum carrier_form form, enum express_status status)
{
    const struct table *t = &TABLES[form];
    if (form == CARRIER_JSON) {
        return express_status_name(status);
    }
    for (size_t i = 0; i < t->n && status != EXPRESS_UNKNOWN; i++) {
        if (t->rows[i].status == status) {
            return t->rows[i].code;
        }
    }
    return NULL;
}
