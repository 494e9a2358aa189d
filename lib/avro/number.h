/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL's text form of numbers. The whole text must be the number: no spaces, no plus sign. */
#ifndef SLUICE_AVRO_NUMBER_H
#define SLUICE_AVRO_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool number_parse_long(const char *text, size_t n, int64_t *out);  /* -9223372036854775808 to 9223372036854775807 */
bool number_parse_double(const char *text, size_t n, double *out); /* NaN, Infinity, -Infinity too */

#endif
