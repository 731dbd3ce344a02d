use super::*;

fn error(source: &str) -> String {
    Template::parse(source).expect_err(source).to_string()
}

#[test]
fn what_is_wrong_is_refused_with_its_place() {
    let check = |source: &str, expected: &str| assert_eq!(error(source), expected, "{source}");
    check("a\n ${", "an expression is due here at line 2, column 4");
    check("${a", "the interpolation needs its closing brace at line 1, column 4");
    check("${a(1)}", "methods cannot be called here, use a built-in such as ?size at line 1, column 4");
    check("${'x'?new()}", "the built-in ?new is not supported at line 1, column 7");
    check("${x?api.getClass}", "the built-in ?api is not supported at line 1, column 5");
    check("${x?replace('a')}", "?replace takes 2 to 2 arguments, found 1 at line 1, column 5");
    check("${.now}", "special variables are not supported at line 1, column 3");
    check("é<#if a>", "<#if> is not closed, write </#if> at line 1, column 2");
    check("</#if>", "</#if> closes nothing that is open here at line 1, column 1");
    check("<#else>", "<#else> or <#elseif> belongs to nothing that is open here at line 1, column 1");
    check("<#if a></#list>", "</#if> is due before this tag at line 1, column 8");
    check(
        "<#macro m></#macro>",
        "the directive <#macro> is not supported, use if, elseif, else, list, sep, assign, break, continue and noparse at line 1, column 1",
    );
    check("<@m/>", "macros are not supported at line 1, column 1");
    check("<#break>", "<#break> is possible inside a list only at line 1, column 1");
    check(
        "<#list a></#list>",
        "a list needs a name for its elements: <#list items as item> at line 1, column 9",
    );
    check("<#-- a", "the comment is not closed, write --> at line 1, column 1");
    check("${'a", "the text is not closed, its quote is missing at line 1, column 3");
    check("${'\\q'}", "the escape is unknown, write \\\\ for a backslash at line 1, column 4");
    check("${a?size?index}", "?index belongs behind the name of a list's element at line 1, column 10");
    check("#{a}", "#{…} is not supported, write ${…} at line 1, column 1");
}

#[test]
fn nesting_has_a_limit() {
    let deep = |depth: usize| format!("${{{}1{}}}", "(".repeat(depth), ")".repeat(depth));
    assert!(Template::parse(&deep(20)).is_ok());
    assert!(error(&deep(10_000)).starts_with("the expression is nested more than 64 deep"));
    assert!(error(&format!("${{{}1}}", "-".repeat(10_000))).starts_with("the expression is nested"));
    assert!(error(&format!("${{a{}}}", ".b".repeat(10_000))).starts_with("the expression has more than 64"));
    assert!(error(&"<#if a>".repeat(10_000)).starts_with("directives are nested more than 32 deep"));
}

#[test]
fn needs_name_the_bodies_that_are_read() {
    let check = |source: &str, request: bool, response: bool| {
        let needs = Template::parse(source).unwrap().needs();
        assert_eq!((needs.request_content, needs.response_content), (request, response), "{source}");
    };
    check("${request.id} ${request['path']} ${response.status}", false, false);
    check("${request.content}", true, false);
    check("${request['content']?size}", true, false);
    check("<#list request?keys as k></#list>", true, false);
    check("${request[context.attributes['x']]}", true, false);
    check("<#if a><#elseif response.content?has_content></#if>", false, true);
    check("<#assign x><#list a as b>${\"${response.content}\"}</#list></#assign>", false, true);
}

#[test]
fn lines_of_tags_leave_nothing_behind() {
    let source = "a\n  <#if x>\nb\n  </#if> <#-- c -->\n<#if x>d</#if>\n  ${e}\n";
    let nodes = Template::parse(source).unwrap().nodes;
    let Node::If { branches, .. } = &nodes[1] else { panic!("{nodes:?}") };
    assert_eq!(
        (&nodes[0], &branches[0].1[0]),
        (&Node::Text("a\n".to_owned()), &Node::Text("b\n".to_owned()))
    );
    assert_eq!(nodes[3], Node::Text("\n  ".to_owned()), "{nodes:?}");
}
