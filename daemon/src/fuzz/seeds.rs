//! The first inputs of `api`. `fuzz/run seeds` writes them to its corpus.

/// Requests as people and programs send them, right and wrong.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let lives: [(&str, &[&str]); 13] = [
        ("show", &["GET /v1/show", "GET /v1/version", "GET /v1/lab?format=toml", "GET /v1/lab"]),
        ("lists", &["GET /v1/bridges", "GET /v1/ports", "GET /v1/tunnels", "GET /v1/stats"]),
        (
            "tables",
            &["GET /v1/fdb?bridge=br0", "GET /v1/neighbors", "GET /v1/conntrack?src_nat=true"],
        ),
        ("nowhere", &["GET /v2/x", "PATCH /v1/show", "GET /v1/bridges/none", "POST /v1/lab\n{}"]),
        (
            "bridge",
            &[
                "POST /v1/bridges/br1\n{\"router\":\"10.0.0.1/24\",\"hub\":true}",
                "PATCH /v1/bridges/br1\n{\"hub\":null,\"ageing\":60}",
                "PUT /v1/bridges/br1\n{\"router\":[\"10.1.0.1/24\"]}",
                "DELETE /v1/bridges/br1",
            ],
        ),
        (
            "route",
            &[
                "POST /v1/routes\n{\"to\":\"10.0.0.0/8\",\"via\":\"192.168.0.9\"}",
                "PUT /v1/routes\n{\"to\":\"10.0.0.0/8\",\"reject\":\"prohibit\"}",
                "GET /v1/routes",
                "DELETE /v1/routes?to=10.0.0.0/8",
                "DELETE /v1/routes?index=1",
            ],
        ),
        (
            "masquerade",
            &[
                "POST /v1/masquerade?at=1\n{\"source\":\"192.168.0.0/25\",\"out\":\"out\"}",
                "PUT /v1/masquerade?index=1\n{\"source\":\"192.168.0.0/26\",\"out\":\"out\"}",
                "DELETE /v1/masquerade?source=192.168.0.0/24&out=out",
            ],
        ),
        (
            "publish",
            &[
                "POST /v1/publish\n{\"listen\":\"out:53/udp\",\"to\":\"192.168.0.2\"}",
                "DELETE /v1/publish?listen=203.0.113.1:8080/tcp",
                "GET /v1/publish",
            ],
        ),
        (
            "station",
            &[
                "POST /v1/fdb\n{\"mac\":\"02:00:00:00:00:01\",\"port\":\"red\"}",
                "DELETE /v1/fdb/02:00:00:00:00:01?bridge=br0&vlan=10",
                "DELETE /v1/fdb?bridge=br0&port=red",
            ],
        ),
        (
            "neighbor",
            &[
                "POST /v1/neighbors\n{\"address\":\"192.168.0.9\",\"mac\":\"02:00:00:00:00:01\"}",
                "DELETE /v1/neighbors/192.168.0.9?interface=br0",
                "DELETE /v1/neighbors",
                "DELETE /v1/conntrack",
            ],
        ),
        (
            "lab",
            &[
                "PUT /v1/lab?dry_run=true\n[bridge.a]\nrouter = \"10.0.0.1/24\"\n",
                "PUT /v1/lab\n{\"bridge\":{\"a\":{\"vlan\":{\"10\":{\"router\":\"10.0.0.1/24\"}}}}}",
                "GET /v1/lab?format=toml",
            ],
        ),
        (
            "wrong",
            &[
                "PUT /v1/lab\n[brigde.a]",
                "PUT /v1/lab?dry_run=perhaps\n",
                "POST /v1/bridges/br%00\n{}",
                "POST /v1/routes\n{\"to\":7}",
                "PATCH /v1/bridges/br0\n{\"router\":\"192.168.0.1/33\"}",
            ],
        ),
        (
            "refused",
            &[
                "DELETE /v1/bridges/out",
                "POST /v1/ports/red\n{\"bridge\":\"nowhere\",\"netns\":\"red\"}",
                "PATCH /v1/tunnels/vx0\n{\"vni\":7}",
            ],
        ),
    ];
    lives.map(|(name, life)| (name.to_owned(), life.join("\0").into_bytes())).into()
}
