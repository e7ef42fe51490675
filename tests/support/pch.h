// Precompiled for every test: gtest and the standard headers that tests use.
#ifndef POSTERN_TESTS_SUPPORT_PCH_H  // a guard, because compiling a header alone warns about the pragma
#define POSTERN_TESTS_SUPPORT_PCH_H

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#endif
