/* SPDX-License-Identifier: Apache-2.0 */
/* The currencies whose smallest unit is not a hundredth, and the numbers of all. */
#include "base/currency.h"

#include <stddef.h>
#include <string.h>

static const struct {
    int digits;
    const char *codes; /* three letters and a blank each */
} UNUSUAL[] = {
    {0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF "},
    {3, "BHD IQD JOD KWD LYD OMR TND "},
    {4, "CLF UYW "},
};

static int find(const char *code)
{
    for (size_t i = 0; strlen(code) == 3 && i < sizeof UNUSUAL / sizeof UNUSUAL[0]; i++) {
        for (const char *at = UNUSUAL[i].codes; *at != '\0'; at += 4) {
            if (strncmp(at, code, 3) == 0) {
                return UNUSUAL[i].digits;
            }
        }
    }
    return -1;
}

int currency_digits(const char *code)
{
    int digits = find(code);
    return digits < 0 ? CURRENCY_DIGITS_USUAL : digits;
}

bool currency_digits_fit(const char *code, int digits)
{
    int listed = find(code);
    return listed < 0 || listed == digits;
}

/* Three digits, three letters and a blank each. */
static const char NUMBERED[] =
    "008ALL 012DZD 032ARS 036AUD 044BSD 048BHD 050BDT 051AMD 052BBD 060BMD 064BTN 068BOB 072BWP 084BZD "
    "090SBD 096BND 104MMK 108BIF 116KHR 124CAD 132CVE 136KYD 144LKR 152CLP 156CNY 170COP 174KMF 188CRC "
    "192CUP 203CZK 208DKK 214DOP 222SVC 230ETB 232ERN 238FKP 242FJD 262DJF 270GMD 292GIP 320GTQ 324GNF "
    "328GYD 332HTG 340HNL 344HKD 348HUF 352ISK 356INR 360IDR 364IRR 368IQD 376ILS 388JMD 392JPY 398KZT "
    "400JOD 404KES 408KPW 410KRW 414KWD 417KGS 418LAK 422LBP 426LSL 430LRD 434LYD 446MOP 454MWK 458MYR "
    "462MVR 480MUR 484MXN 496MNT 498MDL 504MAD 512OMR 516NAD 524NPR 532XCG 533AWG 548VUV 554NZD 558NIO "
    "566NGN 578NOK 586PKR 590PAB 598PGK 600PYG 604PEN 608PHP 634QAR 643RUB 646RWF 654SHP 682SAR 690SCR "
    "702SGD 704VND 706SOS 710ZAR 728SSP 748SZL 752SEK 756CHF 760SYP 764THB 776TOP 780TTD 784AED 788TND "
    "800UGX 807MKD 818EGP 826GBP 834TZS 840USD 858UYU 860UZS 882WST 886YER 901TWD 925SLE 928VES 929MRU "
    "930STN 933BYN 934TMT 936GHS 938SDG 941RSD 943MZN 944AZN 946RON 949TRY 950XAF 951XCD 952XOF 953XPF "
    "967ZMW 968SRD 969MGA 971AFN 972TJS 973AOA 975BGN 976CDF 977BAM 978EUR 980UAH 981GEL 985PLN 986BRL ";

bool currency_of_number(const char *digits, char out_code[4])
{
    for (const char *at = NUMBERED; strlen(digits) == 3 && *at != '\0'; at += 7) {
        if (strncmp(at, digits, 3) == 0) {
            memcpy(out_code, at + 3, 3);
            out_code[3] = '\0';
            return true;
        }
    }
    return false;
}
