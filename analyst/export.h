// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof export: the ledger's records as Flow Logs files.
 */
#pragma once

int export_main(int argc, char **argv);
