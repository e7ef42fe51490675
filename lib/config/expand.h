// $name expansion, as in Postfix's main.cf:
//   $name ${name} $(name)       the value, expanded in turn
//   ${name?text} ${name?{a}:{b}}  text (a) when the value is not empty, else nothing (b)
//   ${name:text} ${name:{text}}   text when the value is empty or there is no such name
//   ${{a} == {b} ? {c} : {d}}   compares expanded texts: == != < <= > >=, and <level and so on
//   $$                          one $
// An unknown name is empty. Pure; bounded in depth, steps and size, so that no file can make it
// hang.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace postern::config {

// Where names get their (unexpanded) values from.
class Names {
  public:
    virtual ~Names() = default;
    virtual std::optional<std::string> raw(std::string_view name) const = 0;
};

enum class Recursion : bool { none, full };  // none: values are inserted as they are

Result<std::string> expand(std::string_view text, const Names& names,
                           Recursion recursion = Recursion::full);

}  // namespace postern::config
