# Commands as people write them by hand.
export API=http://127.0.0.1:8000
$ curl -sS -XPOST -d user=ann -d 'q=a b' --data-urlencode 'note=ü & co' http://127.0.0.1:8000/form | jq .
curl -u ann:hunter2 -m 2.5 -k --resolve shop.test:8000:127.0.0.1 http://127.0.0.1:8000/private > out.json 2>&1
curl --json '{"id": 12345678901234567890}' 127.0.0.1:8000/wide && curl -I http://127.0.0.1:8000/health
curl -H "Authorization: Bearer $TOKEN" -H "X-Api-Key: abcdefgh" "http://127.0.0.1:8000/items/${ITEM}/parts?token=$TOKEN"
curl -F note=nightly -F 'data=@scores.csv;type=text/csv' http://127.0.0.1:8000/upload
curl -G -d page=2 --data-urlencode "q=load test" http://other.test/search --retry 3 --frobnicate -L
curl -X PROPFIND --data-binary @body.xml -H 'Content-Type: application/xml' http://127.0.0.1:8000/dav
