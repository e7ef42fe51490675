// Precompiled for every test: gtest and what the product's files have.
#ifndef POSTERN_TESTS_SUPPORT_PCH_H  // a guard, because compiling a header alone warns about the pragma
#define POSTERN_TESTS_SUPPORT_PCH_H

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "lib/pch.h"
#endif
