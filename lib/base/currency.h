/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Currencies of ISO 4217, list one (active codes): how many digits behind the point, where it is not two, and numbers.
 *
 * Thread: any.
 */
#ifndef SLUICE_BASE_CURRENCY_H
#define SLUICE_BASE_CURRENCY_H

#include <stdbool.h>

#define CURRENCY_DIGITS_USUAL 2

/* 0, 3 or 4 for the currencies that have so many; 2 for all others, a game's own coin included. */
int currency_digits(const char *code);
/* False: the standard says another number. Of what it does not list any number will do. */
bool currency_digits_fit(const char *code, int digits);
/* "156" is "CNY". False: the list has no such number. */
bool currency_of_number(const char *digits, char out_code[4]);

#endif
