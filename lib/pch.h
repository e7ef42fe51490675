// Precompiled for every file of the product: the headers that most of them include anyway (a third of the
// time of a build). A file includes what it uses all the same: builds with sanitizers or --disable-pch do
// without this one.
#ifndef POSTERN_LIB_PCH_H  // a guard, because compiling a header alone warns about the pragma
#define POSTERN_LIB_PCH_H

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/base/strings.h"
#endif
