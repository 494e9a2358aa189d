/* SPDX-License-Identifier: Apache-2.0 */
#include "base/currency.h"

#include <criterion/criterion.h>

Test(currency, digits_are_those_of_the_standard)
{
    static const struct {
        const char *code;
        int digits;
    } rows[] = {{"CNY", 2}, {"USD", 2}, {"JPY", 0}, {"KRW", 0}, {"BIF", 0}, {"XPF", 0}, {"KWD", 3}, {"TND", 3},
                {"UYW", 4}, {"CLF", 4}, {"GEM", 2}, {"JP", 2},  {"PY ", 2}, {"", 2},    {"JPYX", 2}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_expect_eq(currency_digits(rows[i].code), rows[i].digits, "%s", rows[i].code);
        cr_expect(currency_digits_fit(rows[i].code, rows[i].digits), "%s", rows[i].code);
    }
}

Test(currency, another_number_does_not_fit_where_the_standard_has_one)
{
    cr_expect_not(currency_digits_fit("JPY", 2));
    cr_expect_not(currency_digits_fit("KWD", 2));
    cr_expect(currency_digits_fit("GEM", 0));
    cr_expect(currency_digits_fit("COIN", 4));
}

Test(currency, numbers_stand_for_codes)
{
    static const struct {
        const char *digits, *code;
    } rows[] = {{"156", "CNY"}, {"840", "USD"}, {"978", "EUR"}, {"008", "ALL"}, {"986", "BRL"}, {"392", "JPY"}};
    char code[4];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_assert(currency_of_number(rows[i].digits, code), "%s", rows[i].digits);
        cr_assert_str_eq(code, rows[i].code);
    }
    static const char *const unknown[] = {"", "8", "08", "000", "999", "CNY", "1560", "56C", "NY "};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        cr_assert_not(currency_of_number(unknown[i], code), "%s", unknown[i]);
    }
}
