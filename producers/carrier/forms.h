/* SPDX-License-Identifier: Apache-2.0 */
/* What the rows of forms.c are made of; each form's functions are in its own file. */
#ifndef SLUICE_CARRIER_FORMS_H
#define SLUICE_CARRIER_FORMS_H

#include "carrier/reading.h"

/* False: refused, *r says why. */
bool json_read(struct reading *r, const struct carrier_content *content);
bool kuaidi100_read(struct reading *r, const struct carrier_content *content);
bool sf_read(struct reading *r, const struct carrier_content *content);
bool kdniao_read(struct reading *r, const struct carrier_content *content);
bool cainiao_read(struct reading *r, const struct carrier_content *content);

const char *json_answer(bool stored, const struct carrier_echo *echo, struct arena *arena);
const char *kuaidi100_answer(bool stored, const struct carrier_echo *echo, struct arena *arena);
const char *sf_answer(bool stored, const struct carrier_echo *echo, struct arena *arena);
const char *kdniao_answer(bool stored, const struct carrier_echo *echo, struct arena *arena);
const char *cainiao_answer(bool stored, const struct carrier_echo *echo, struct arena *arena);

#endif
